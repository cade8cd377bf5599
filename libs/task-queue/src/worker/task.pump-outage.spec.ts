import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Broker, Delivery, Lease, LeaseKeeper, OutgoingTask } from '../brokers/broker.port.js';
import { MemoryBroker, MemoryStore } from '../brokers/memory/index.js';
import { ManualClock } from '../clock/index.js';
import { LeaseLostError, OperationalError } from '../errors/task-queue.errors.js';
import type { Ending } from './ending.interface.js';
import { TaskPump } from './task.pump.js';

// What the pump does when the store is away, a lease is lost, or the worker stops.

type Method = 'fetch' | 'finish' | 'release' | 'postpone' | 'waitForWork';

/** A broker whose calls can be made to fail or to hang. */
class Obstacle {
  readonly calls: Record<string, number> = {};
  private away = false;
  private readonly held = new Map<Method, { reached: () => void; open: Promise<void> }>();
  private readonly failures = new Map<Method, Error[]>();

  wrap(broker: Broker): Broker {
    const watched: ReadonlySet<string> = new Set<Method>([
      'fetch',
      'finish',
      'release',
      'postpone',
      'waitForWork',
    ]);
    return new Proxy(broker, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== 'function') {
          return member;
        }
        return watched.has(String(key))
          ? (...args: unknown[]) => this.call(key as Method, () => member.apply(target, args))
          : (member.bind(target) as unknown);
      },
    });
  }

  goAway(): void {
    this.away = true;
  }

  comeBack(): void {
    this.away = false;
  }

  /** The next call of `method` fails, after it was carried out. */
  cutAnswer(method: Method): void {
    this.failures.set(method, [new OperationalError('The connection broke.')]);
  }

  /** Holds back the answer of `method`: it is carried out, and answered when `open` is called. */
  hold(method: Method): { reached: Promise<void>; open: () => void } {
    let reached!: () => void;
    let open!: () => void;
    const whenReached = new Promise<void>((resolve) => (reached = resolve));
    this.held.set(method, { reached, open: new Promise((resolve) => (open = resolve)) });
    return { reached: whenReached, open };
  }

  private async call(method: Method, carryOut: () => unknown): Promise<unknown> {
    this.calls[method] = (this.calls[method] ?? 0) + 1;
    if (this.away) {
      throw new OperationalError('The store is away.');
    }
    const answer = await carryOut();
    const held = this.held.get(method);
    if (held) {
      this.held.delete(method);
      held.reached();
      await held.open;
    }
    const failure = this.failures.get(method)?.shift();
    if (failure) {
      throw failure;
    }
    return answer;
  }
}

let clock: ManualClock;
let store: MemoryStore;
let broker: MemoryBroker;
let obstacle: Obstacle;
let leases: LeaseKeeper;
let pump: TaskPump;
let lines: string[];
let recorded: string[];
let mayHandBack: ((lease: Lease) => boolean) | undefined;
let running: Map<string, (ending?: Ending) => void>;

function tasks(count: number, queue = 'a'): OutgoingTask[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${queue}-${index}`,
    name: 'tests.task',
    queue,
    data: '{}',
  }));
}

function success(id: string): Ending {
  const payload = `{"status":"SUCCESS","task_id":"${id}"}`;
  return {
    kind: 'finish',
    outcome: { record: { id, status: 'SUCCESS', payload, ttl: null } },
    recorded: () => recorded.push(id),
  };
}

/** A handler whose tasks end when the test says so. */
function slowly({ lease }: Delivery): Promise<Ending> {
  return new Promise((resolve) => {
    running.set(lease.id, (ending = success(lease.id)) => resolve(ending));
  });
}

async function start(
  concurrency: number,
  handle: (delivery: Delivery) => Promise<Ending> = slowly,
  queues: readonly string[] = ['a'],
): Promise<void> {
  leases = await broker.keepLeases(concurrency);
  const note = (message: string): void => void lines.push(message);
  pump = new TaskPump({
    broker: obstacle.wrap(broker),
    queues,
    concurrency,
    handle,
    mayHandBack: (lease) => mayHandBack?.(lease) ?? true,
    leases,
    clock,
    logger: { debug: note, log: note, warn: note, error: note },
  });
  pump.start();
  await settle();
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    await nextTurn();
  }
}

const immediately = async ({ lease }: Delivery): Promise<Ending> => success(lease.id);

beforeEach(() => {
  clock = new ManualClock();
  store = new MemoryStore();
  broker = new MemoryBroker({ clock, leaseDuration: 30_000, store });
  obstacle = new Obstacle();
  lines = [];
  recorded = [];
  mayHandBack = undefined;
  running = new Map();
});

afterEach(async () => {
  obstacle.comeBack();
  await pump.abandon();
  await settle();
  await leases.close();
  await broker.close();
  if (clock.pendingTimers > 0) {
    throw new Error('The pump left a timer behind.');
  }
});

describe('while the store is away', () => {
  it('the pump waits, says so once, and goes on by itself', async () => {
    obstacle.goAway();
    await start(3, immediately);
    await clock.advanceAsync(20_000);
    expect(lines).toEqual([
      'consumer: Connection to broker lost. Trying to re-establish the connection... ' +
        'The store is away.',
    ]);
    await broker.publish(tasks(5));
    obstacle.comeBack();
    await clock.advanceAsync(5000);
    expect(recorded).toHaveLength(5);
    expect(lines.slice(1)).toEqual(['Connected to memory://']);
  });

  it('the store is asked less and less often, by one call at a time', async () => {
    await start(3, immediately, ['a', 'b', 'c', 'd']);
    obstacle.goAway();
    await broker.publish([...tasks(1, 'a'), ...tasks(1, 'b'), ...tasks(1, 'c')]);
    await settle();
    const before = Object.values(obstacle.calls).reduce((sum, count) => sum + count, 0);
    await clock.advanceAsync(60_000);
    const after = Object.values(obstacle.calls).reduce((sum, count) => sum + count, 0);
    expect(after - before).toBeGreaterThan(10);
    expect(after - before).toBeLessThan(20);
  });

  it('an outcome is recorded when it is back, once', async () => {
    await broker.publish(tasks(1));
    await start(1);
    obstacle.goAway();
    running.get('a-0')!();
    await clock.advanceAsync(700);
    expect(recorded).toEqual([]);
    expect(pump.running).toBe(1);
    obstacle.comeBack();
    await clock.advanceAsync(5000);
    expect(recorded).toEqual(['a-0']);
    expect(await broker.results.get('a-0')).toContain('SUCCESS');
    expect(pump.running).toBe(0);
  });

  it('a task that is to go back goes back when it is there again', async () => {
    await broker.publish(tasks(1));
    await start(1);
    obstacle.goAway();
    running.get('a-0')!({ kind: 'postpone', delay: 60_000 });
    await clock.advanceAsync(300);
    obstacle.comeBack();
    await clock.advanceAsync(5000);
    expect(await broker.locate('a-0')).toEqual({ queue: 'a', state: 'delayed' });
  });

  it('a slot that waits to record does not keep the others from working afterwards', async () => {
    await broker.publish(tasks(8));
    await start(2);
    running.get('a-1')!();
    obstacle.goAway();
    running.get('a-0')!();
    await settle();
    // The second slot finds the store away, too, and ends.
    running.get('a-2')?.();
    await clock.advanceAsync(200);
    obstacle.comeBack();
    await clock.advanceAsync(5000);
    expect(pump.running).toBe(2);
  });

  it('many outcomes at once are all tried again soon', async () => {
    await broker.publish(tasks(20));
    await start(20);
    obstacle.goAway();
    running.forEach((end) => end());
    await settle();
    obstacle.comeBack();
    await clock.advanceAsync(200);
    expect(recorded).toHaveLength(20);
    expect(lines.filter((line) => line.includes('lost'))).toHaveLength(1);
  });

  it('leases of running tasks stay with the keeper', async () => {
    await broker.publish(tasks(1));
    await start(1);
    obstacle.goAway();
    running.get('a-0')!();
    await clock.advanceAsync(120_000);
    expect(await broker.reclaim('a')).toEqual([]);
    obstacle.comeBack();
    await clock.advanceAsync(5000);
    expect(recorded).toEqual(['a-0']);
  });
});

describe('a lost lease', () => {
  it('records nothing, is said, and does not stop the worker', async () => {
    await broker.publish(tasks(2));
    await start(1);
    // Another worker's view: the lease is over and the task is handed on.
    jest.spyOn(store, 'renew').mockReturnValue(false);
    clock.advance(31_000);
    expect(await broker.reclaim('a')).toEqual(['a-0']);
    jest.restoreAllMocks();
    const other = (await broker.fetch('a')).delivery!;
    expect(other).toMatchObject({ lease: { id: 'a-0' }, redeliveries: 1 });

    running.get('a-0')!();
    await settle();
    expect(recorded).toEqual([]);
    expect(await broker.results.get('a-0')).toBeUndefined();
    expect(lines).toEqual([new LeaseLostError('a-0').message]);
    running.get('a-1')!();
    await settle();
    expect(recorded).toEqual(['a-1']);
  });

  it('after a broken connection may mean that the outcome was recorded, and the log says so', async () => {
    await broker.publish(tasks(1));
    await start(1);
    obstacle.cutAnswer('finish');
    running.get('a-0')!();
    await clock.advanceAsync(5000);
    expect(recorded).toEqual([]);
    expect(lines.at(-1)).toMatch(/The lease on task a-0 was lost.* may have been recorded before/);
    expect(await broker.results.get('a-0')).toContain('SUCCESS');
    expect(pump.running).toBe(0);
  });
});

it('a log that fails after the outcome was recorded does not record it again', async () => {
  await broker.publish(tasks(2));
  await start(1, async ({ lease }) => ({
    kind: 'finish',
    outcome: {},
    recorded: () => {
      recorded.push(lease.id);
      throw new Error('The disk is full.');
    },
  }));
  await settle();
  expect(recorded).toEqual(['a-0', 'a-1']);
  expect(lines[0]).toMatch(/could not be logged: Error: The disk is full/);
});

describe('drain', () => {
  it('lets what runs finish, takes nothing more, then resolves', async () => {
    await broker.publish(tasks(4));
    await start(2);
    let drained = false;
    const draining = pump.drain().then(() => (drained = true));
    running.get('a-0')!();
    await settle();
    expect(recorded).toEqual(['a-0']);
    expect(pump.running).toBe(1);
    expect(drained).toBe(false);
    running.get('a-1')!();
    await draining;
    expect(recorded).toEqual(['a-0', 'a-1']);
    expect(await broker.counts('a')).toMatchObject({ waiting: 2, active: 0 });
    expect(clock.pendingTimers).toBe(0);
  });

  it('resolves at once when nothing runs, whatever the pump waits for', async () => {
    await broker.publish([{ ...tasks(1)[0]!, dueAt: clock.now() + 10_000 }]);
    await start(2);
    await pump.drain();
    await settle();
    expect(clock.pendingTimers).toBe(0);
    await clock.advanceAsync(20_000);
    expect(running.size).toBe(0);
  });

  it('leaves no attempt planned when the store is away', async () => {
    obstacle.goAway();
    await start(2);
    await pump.drain();
    expect(clock.pendingTimers).toBe(0);
  });

  it('puts back what a fetch under way brings', async () => {
    const fetch = obstacle.hold('fetch');
    await broker.publish(tasks(1));
    await start(1);
    await fetch.reached;
    const draining = pump.drain();
    fetch.open();
    await draining;
    expect(running.size).toBe(0);
    expect(await broker.locate('a-0')).toEqual({ queue: 'a', state: 'waiting' });
    expect((await broker.fetch('a')).delivery).toMatchObject({ redeliveries: 0, postponements: 0 });
  });

  it('puts back what a finish under way brings', async () => {
    await broker.publish(tasks(2));
    await start(1);
    const finish = obstacle.hold('finish');
    running.get('a-0')!();
    await finish.reached;
    const draining = pump.drain();
    finish.open();
    await draining;
    expect(recorded).toEqual(['a-0']);
    expect(await broker.locate('a-1')).toEqual({ queue: 'a', state: 'waiting' });
  });

  it('waits for outcomes that the store cannot take just now', async () => {
    await broker.publish(tasks(1));
    await start(1);
    obstacle.goAway();
    running.get('a-0')!();
    let drained = false;
    void pump.drain().then(() => (drained = true));
    await clock.advanceAsync(10_000);
    expect(drained).toBe(false);
    obstacle.comeBack();
    await clock.advanceAsync(5000);
    expect(drained).toBe(true);
    expect(recorded).toEqual(['a-0']);
  });

  it('is final: a start after it does nothing', async () => {
    await start(1);
    await pump.drain();
    pump.start();
    await broker.publish(tasks(1));
    await settle();
    expect(running.size).toBe(0);
  });
});

describe('abandon', () => {
  it('hands back what runs, unrun, and records nothing of it', async () => {
    await broker.publish(tasks(3));
    await start(2);
    expect(await pump.abandon()).toBe(2);
    expect(pump.running).toBe(0);
    running.forEach((end) => end());
    await settle();
    expect(recorded).toEqual([]);
    expect(lines).toEqual([]);
    const again = [await broker.fetch('a'), await broker.fetch('a'), await broker.fetch('a')];
    expect(again.map(({ delivery }) => delivery!.lease.id).toSorted()).toEqual([
      'a-0',
      'a-1',
      'a-2',
    ]);
    expect(again.every(({ delivery }) => delivery!.redeliveries === 0)).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it('hands back what a fetch under way brings, and counts it', async () => {
    const fetch = obstacle.hold('fetch');
    await broker.publish(tasks(1));
    await start(1);
    await fetch.reached;
    const abandoning = pump.abandon();
    fetch.open();
    expect(await abandoning).toBe(1);
    expect(running.size).toBe(0);
    expect(await broker.locate('a-0')).toEqual({ queue: 'a', state: 'waiting' });
  });

  it('hands back what a finish under way brings, and lets its outcome stand', async () => {
    await broker.publish(tasks(2));
    await start(1);
    const finish = obstacle.hold('finish');
    running.get('a-0')!();
    await finish.reached;
    const abandoning = pump.abandon();
    finish.open();
    expect(await abandoning).toBe(1);
    expect(recorded).toEqual(['a-0']);
    expect(running.size).toBe(1);
    expect(await broker.locate('a-1')).toEqual({ queue: 'a', state: 'waiting' });
  });

  it('leaves the lease of a task that may not run again, and counts it not', async () => {
    mayHandBack = ({ id }) => id !== 'a-0';
    await broker.publish(tasks(2));
    await start(2);
    expect(await pump.abandon()).toBe(1);
    expect(await broker.locate('a-0')).toEqual({ queue: 'a', state: 'active' });
    expect(await broker.locate('a-1')).toEqual({ queue: 'a', state: 'waiting' });
    clock.advance(30_000);
    expect(await broker.reclaim('a')).toEqual(['a-0']);
  });

  it('does not wait for a store that hangs longer than 3 s', async () => {
    await broker.publish(tasks(1));
    await start(1);
    const release = obstacle.hold('release');
    let done = false;
    void pump.abandon().then(() => (done = true));
    await release.reached;
    await clock.advanceAsync(2999);
    expect(done).toBe(false);
    await clock.advanceAsync(1);
    expect(done).toBe(true);
    release.open();
  });

  it('hands back nothing while the store is away, and leaves the lease to end', async () => {
    await broker.publish(tasks(1));
    await start(1);
    obstacle.goAway();
    expect(await pump.abandon()).toBe(0);
    expect(clock.pendingTimers).toBe(0);
    clock.advance(30_000);
    expect(await broker.reclaim('a')).toEqual(['a-0']);
  });

  it('gives up an outcome that waits for the store', async () => {
    await broker.publish(tasks(1));
    await start(1);
    obstacle.goAway();
    running.get('a-0')!();
    await clock.advanceAsync(1000);
    obstacle.comeBack();
    expect(await pump.abandon()).toBe(1);
    await clock.advanceAsync(10_000);
    expect(recorded).toEqual([]);
    expect(await broker.locate('a-0')).toEqual({ queue: 'a', state: 'waiting' });
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends a drain that is under way', async () => {
    await broker.publish(tasks(1));
    await start(1);
    const draining = pump.drain();
    expect(await pump.abandon()).toBe(1);
    await draining;
    await pump.drain();
    expect(await pump.abandon()).toBe(0);
  });
});
