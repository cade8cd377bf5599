import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import { ManualClock, SystemClock } from '../../clock/index.js';
import { OperationalError } from '../../errors/task-queue.errors.js';
import type { Broker, Delivery, Lease, OutgoingTask } from '../broker.port.js';
import { MemoryBroker, MemoryStore } from './index.js';

// What every broker does is in test/conformance; here is what only this one promises.

const LEASE = 30_000;

let clock: ManualClock;
let broker: MemoryBroker;

function task(id: string, fields: Partial<OutgoingTask> = {}): OutgoingTask {
  return { id, name: 'tests.add', queue: 'work', data: '{}', ...fields };
}

async function take(from: Broker = broker): Promise<Delivery> {
  const { delivery } = await from.fetch('work');
  if (delivery === undefined) {
    throw new Error('There was nothing to fetch.');
  }
  return delivery;
}

beforeEach(() => {
  clock = new ManualClock();
  broker = new MemoryBroker({ clock, leaseDuration: LEASE });
});

afterEach(async () => {
  await broker.close();
  if (clock.pendingTimers > 0) {
    throw new Error('The closed broker left a timer behind.');
  }
});

describe('MemoryBroker', () => {
  it('shares nothing with another broker, unless they are given one store', async () => {
    const store = new MemoryStore();
    const [one, two] = [1, 2].map(() => new MemoryBroker({ clock, leaseDuration: LEASE, store }));
    await one!.publish([task('a')]);
    expect(await broker.locate('a')).toBeUndefined();
    expect(await two!.locate('a')).toEqual({ queue: 'work', state: 'waiting' });
  });

  it('keeps the times exactly', async () => {
    const now = clock.now();
    await broker.publish([task('a', { dueAt: now + 1_000 })]);
    clock.advance(999);
    expect(await broker.fetch('work')).toEqual({ nextDueAt: now + 1_000 });
    clock.advance(1);
    const { lease, publishedAt } = await take();
    expect(publishedAt).toBe(now);
    clock.advance(LEASE - 1);
    expect(await broker.reclaim('work')).toEqual([]);
    clock.advance(1);
    expect(await broker.reclaim('work')).toEqual([lease.id]);
  });

  it('puts a delayed task before those that are published or retried after its time', async () => {
    await broker.publish([task('held'), task('due', { dueAt: clock.now() + 1_000 })]);
    const held = await take();
    clock.advance(1_000);
    await broker.retry(held.lease, task('held'), {});
    await broker.publish([task('new')]);
    const order = [];
    for (let i = 0; i < 3; i++) {
      order.push((await take()).lease.id);
    }
    expect(order).toEqual(['due', 'held', 'new']);
  });

  it('puts reclaimed tasks to the front, in the order they were fetched', async () => {
    await broker.publish([task('a'), task('b'), task('c'), task('d')]);
    const fetched = [await take(), await take(), await take()];
    clock.advance(LEASE);
    expect(await broker.reclaim('work')).toEqual(fetched.map(({ lease }) => lease.id));
    const order = [];
    for (let i = 0; i < 4; i++) {
      order.push((await take()).lease.id);
    }
    expect(order).toEqual(['a', 'b', 'c', 'd']);
  });

  it('remembers for a minute that a task has run', async () => {
    await broker.publish([task('a'), task('b')]);
    await broker.finish((await take()).lease, {}, false);
    const record = { id: 'b', status: 'SUCCESS', payload: '{"status":"SUCCESS"}', ttl: 90_000 };
    await broker.finish((await take()).lease, { record }, false);
    clock.advance(59_999);
    await broker.publish([task('a'), task('b')], true);
    expect((await broker.counts('work')).waiting).toBe(0);
    clock.advance(1);
    await broker.publish([task('a'), task('b')], true);
    // The record of 'b' still tells that it has run.
    expect((await take()).lease.id).toBe('a');
    expect((await broker.counts('work')).waiting).toBe(0);
  });

  it('stores a successor that has the id of the finished task', async () => {
    await broker.publish([task('a')]);
    const { lease } = await take();
    const again = task('a', { data: '{"again":true}' });
    const { delivery } = await broker.finish(lease, { publish: [again] }, true);
    expect(delivery).toMatchObject({ lease: { id: 'a' }, data: '{"again":true}' });
  });

  it('takes and gives tens of thousands of delayed tasks quickly', async () => {
    const count = 50_000;
    const now = clock.now();
    // A walk through all times that is neither sorted nor random.
    const delays = Array.from({ length: count }, (_, index) => 1 + ((index * 7_919) % count));
    const start = performance.now();
    await broker.publish(delays.map((delay, index) => task(`t${index}`, { dueAt: now + delay })));
    clock.advance(count);
    const order: (number | undefined)[] = [];
    for (let next = await broker.fetch('work'); next.delivery;) {
      order.push(delays[Number(next.delivery.lease.id.slice(1))]);
      next = await broker.finish(next.delivery.lease, {}, true);
    }
    expect(order).toEqual(delays.toSorted((a, b) => a - b));
    expect(performance.now() - start).toBeLessThan(10_000);
  }, 30_000);

  it('lets timers run while a worker goes through a long queue', async () => {
    const count = 5_000;
    await broker.publish(Array.from({ length: count }, (_, index) => task(`t${index}`)));
    let turns = 0;
    const ticking = setInterval(() => turns++, 0);
    let next = await broker.fetch('work');
    while (next.delivery) {
      next = await broker.finish(next.delivery.lease, {}, true);
    }
    clearInterval(ticking);
    expect(turns).toBeGreaterThan(0);
  });

  it('runs under fake timers', async () => {
    jest.useFakeTimers();
    try {
      await broker.publish(Array.from({ length: 100 }, (_, index) => task(`t${index}`)));
      for (let i = 0; i < 100; i++) {
        await broker.finish((await take()).lease, {}, false);
      }
      expect((await broker.counts('work')).waiting).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  it('refuses a second wait for work while one runs', async () => {
    const wait = broker.waitForWork(['work'], 1_000);
    await expect(broker.waitForWork(['work'], 1_000)).rejects.toThrow('waiting for work already');
    broker.wakeUp();
    expect(await wait).toEqual([]);
    expect(await broker.waitForWork(['work'], 0)).toEqual([]);
  });

  it('calls the listener after the call that stored, not within it', async () => {
    const events: string[] = [];
    broker.onResult((id, payload) => events.push(`${id} ${payload}`));
    await broker.watch('a');
    const announcing = broker.announce('a', 'x');
    events.push('stored');
    await announcing;
    expect(events).toEqual(['stored', 'a x']);
  });

  it('calls the listener of broadcasts after the call, not within it', async () => {
    const events: string[] = [];
    await broker.onBroadcast((text) => events.push(text));
    const telling = broker.broadcast('x');
    events.push('told');
    await telling;
    expect(events).toEqual(['told', 'x']);
  });

  it('keeps the mark of a revoked task exactly as long as the longest call asked for', async () => {
    await broker.revoke('a', undefined, 2_000);
    await broker.revoke('a', undefined, 1_000);
    await broker.publish([task('a')]);
    clock.advance(1_999);
    const { lease, revoked } = await take();
    expect(revoked).toBe(true);
    await broker.release(lease);
    clock.advance(1);
    expect((await take()).revoked).toBe(false);
  });

  it('ends the mark of a revoked task with a purge', async () => {
    await broker.revoke('a', undefined, 60_000);
    await broker.publish([task('a')]);
    await broker.purge('work');
    await broker.publish([task('a')]);
    expect((await take()).revoked).toBe(false);
  });

  it('does not store again what was revoked, though no record tells of it', async () => {
    await broker.publish([task('a')]);
    expect(await broker.revoke('a', undefined, 60_000)).toBe('ended');
    await broker.publish([task('a')], true);
    expect(await broker.locate('a')).toBeUndefined();
  });

  it('keeps the count of losses and the name through a retry', async () => {
    await broker.publish([task('a')]);
    await take();
    clock.advance(LEASE);
    expect(await broker.reclaim('work')).toEqual(['a']);
    await broker.retry((await take()).lease, task('a', { name: 'other' }), {});
    expect(await take()).toMatchObject({ name: 'tests.add', redeliveries: 1 });
  });

  it('takes and gives tens of thousands of tasks of all priorities quickly', async () => {
    const count = 50_000;
    const start = performance.now();
    const tasks = Array.from({ length: count }, (_, index) =>
      task(`t${index}`, { priority: (index * 7) % 10 }),
    );
    await broker.publish(tasks);
    const order: string[] = [];
    for (let next = await broker.fetch('work'); next.delivery;) {
      order.push(next.delivery.lease.id);
      next = await broker.finish(next.delivery.lease, {}, true);
    }
    const expected = tasks.toSorted((a, b) => b.priority! - a.priority!).map(({ id }) => id);
    expect(order).toEqual(expected);
    expect(performance.now() - start).toBeLessThan(10_000);
  }, 30_000);
});

describe('the keeper of leases of MemoryBroker', () => {
  it('has timers only while it keeps leases', async () => {
    const keeper = await broker.keepLeases(1);
    expect(clock.pendingTimers).toBe(0);
    await broker.publish([task('a')]);
    const { lease } = await take();
    keeper.add(lease);
    clock.advance(10 * LEASE);
    expect(await broker.reclaim('work')).toEqual([]);
    expect(clock.pendingTimers).toBe(1);
    keeper.remove(lease);
    expect(clock.pendingTimers).toBe(0);
  });

  it('keeps a lease although a blocked event loop made its timer late', async () => {
    let skipped = 0;
    // The time runs on, and no timer fires: as while a task blocks the event loop.
    const blocked = {
      now: () => clock.now() + skipped,
      setTimer: clock.setTimer.bind(clock),
    };
    const store = new MemoryStore();
    const worker = new MemoryBroker({ clock: blocked, leaseDuration: LEASE, store });
    const other = new MemoryBroker({ clock: blocked, leaseDuration: LEASE, store });
    await worker.publish([task('a'), task('b')]);
    const keeper = await worker.keepLeases(2);
    const lost: Lease[] = [];
    keeper.onLost((lease) => lost.push(lease));
    const [kept, unkept] = [await take(worker), await take(worker)];
    keeper.add(kept.lease);
    skipped = 10 * LEASE;
    expect(await other.reclaim('work')).toEqual([unkept.lease.id]);
    await worker.finish(kept.lease, {}, false);
    keeper.remove(kept.lease);
    expect(lost).toEqual([]);
    await worker.close();
  });

  it('refuses more leases than it has room for, and any after its end', async () => {
    const keeper = await broker.keepLeases(1);
    await broker.publish([task('a'), task('b')]);
    const [first, second] = [await take(), await take()];
    keeper.add(first.lease);
    keeper.add(first.lease);
    expect(() => keeper.add(second.lease)).toThrow('full with 1 leases');
    keeper.remove(first.lease);
    keeper.add(second.lease);
    await keeper.close();
    expect(() => keeper.add(first.lease)).toThrow(OperationalError);
  });
});

describe('a closed MemoryBroker', () => {
  const calls: [string, (broker: Broker) => Promise<unknown>][] = [
    ['publish', (closed) => closed.publish([task('a')])],
    ['watch', (closed) => closed.watch('a')],
    ['unwatch', (closed) => closed.unwatch('a')],
    ['announce', (closed) => closed.announce('a', '{}')],
    ['revoke', (closed) => closed.revoke('a', undefined, 1_000)],
    ['broadcast', (closed) => closed.broadcast('{}')],
    ['onBroadcast', (closed) => closed.onBroadcast(() => undefined)],
    ['locate', (closed) => closed.locate('a')],
    ['connect', (closed) => closed.connect()],
    ['fetch', (closed) => closed.fetch('work')],
    ['finish', (closed) => closed.finish({ id: 'a', queue: 'work', token: '1' }, {}, true)],
    ['retry', (closed) => closed.retry({ id: 'a', queue: 'work', token: '1' }, task('a'), {})],
    ['release', (closed) => closed.release({ id: 'a', queue: 'work', token: '1' })],
    ['postpone', (closed) => closed.postpone({ id: 'a', queue: 'work', token: '1' }, 1)],
    ['waitForWork', (closed) => closed.waitForWork(['work'], 1)],
    ['keepLeases', (closed) => closed.keepLeases(1)],
    ['reclaim', (closed) => closed.reclaim('work')],
    ['expire', (closed) => closed.expire(() => undefined)],
    ['queues', (closed) => closed.queues()],
    ['counts', (closed) => closed.counts('work')],
    ['deadLetters', (closed) => closed.deadLetters('work')],
    ['redrive', (closed) => closed.redrive('work', 'a')],
    ['discard', (closed) => closed.discard('work', 'a')],
    ['purge', (closed) => closed.purge('work')],
    ['ping', (closed) => closed.ping()],
    ['results.get', (closed) => closed.results.get('a')],
    ['results.getMany', (closed) => closed.results.getMany([])],
    ['results.remove', (closed) => closed.results.remove('a')],
    ['results.putGroup', (closed) => closed.results.putGroup('a', '[]', null)],
    ['results.getGroup', (closed) => closed.results.getGroup('a')],
    ['results.removeGroup', (closed) => closed.results.removeGroup('a')],
    [
      'results.put',
      (closed) => closed.results.put({ id: 'a', status: 'SUCCESS', payload: '{}', ttl: null }),
    ],
  ];

  it.each(calls)('refuses %s', async (_, call) => {
    await broker.close();
    await expect(call(broker)).rejects.toBeInstanceOf(OperationalError);
  });

  it('has ended its wait, its watches and its keepers, and lets a wake-up pass', async () => {
    const store = new MemoryStore();
    const [one, two] = [1, 2].map(() => new MemoryBroker({ clock, leaseDuration: LEASE, store }));
    const heard: string[] = [];
    one!.onResult((id) => heard.push(id));
    await one!.watch('a');
    await one!.onBroadcast((text) => heard.push(text));
    await one!.publish([task('a')]);
    const keeper = await one!.keepLeases(1);
    keeper.add((await take(one)).lease);
    const wait = one!.waitForWork(['work'], 1_000_000);
    await one!.close();
    one!.wakeUp();
    expect(await wait).toEqual([]);
    await two!.announce('a', '{}');
    await two!.broadcast('{}');
    await clock.advanceAsync(LEASE);
    expect(heard).toEqual([]);
    expect(await two!.reclaim('work')).toEqual(['a']);
  });
});

describe('MemoryBroker with the system clock', () => {
  it('wakes for a delayed task and for the end of the wait', async () => {
    const real = new MemoryBroker({ clock: new SystemClock(), leaseDuration: LEASE });
    const wait = real.waitForWork(['work'], 60_000);
    await real.publish([task('a', { dueAt: Date.now() + 30 })]);
    expect(await wait).toEqual([{ queue: 'work' }]);
    expect((await take(real)).lease.id).toBe('a');
    expect(await real.waitForWork(['work'], 20)).toEqual([]);
    await real.close();
  });
});
