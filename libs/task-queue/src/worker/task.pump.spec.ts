import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { BrokerLogger } from '../brokers/broker-options.interface.js';
import type { Delivery, LeaseKeeper, OutgoingTask } from '../brokers/broker.port.js';
import { MemoryBroker } from '../brokers/memory/index.js';
import { ManualClock } from '../clock/index.js';
import type { Ending } from './ending.interface.js';
import { TaskPump } from './task.pump.js';

// Who gets the next slot. Outages and shutdowns are in task.pump-outage.spec.ts.

const SILENT: BrokerLogger = { debug() {}, log() {}, warn() {}, error() {} };
const DONE: Ending = { kind: 'finish', outcome: {} };

let clock: ManualClock;
let broker: MemoryBroker;
let leases: LeaseKeeper;
let pump: TaskPump | undefined;
let ran: string[];

function tasks(queue: string, count: number, from = 0): OutgoingTask[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${queue}-${from + index}`,
    name: 'tests.task',
    queue,
    data: '{}',
  }));
}

async function start(
  queues: readonly string[],
  concurrency: number,
  handle: (delivery: Delivery) => Promise<Ending> = async () => DONE,
): Promise<TaskPump> {
  leases = await broker.keepLeases(concurrency);
  pump = new TaskPump({
    broker,
    queues,
    concurrency,
    leases,
    clock,
    logger: SILENT,
    handle: (delivery) => {
      ran.push(delivery.lease.id);
      return handle(delivery);
    },
  });
  pump.start();
  return pump;
}

/** Lets the event loop turn, time standing still, until something is so. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2000 && !condition(); turn += 1) {
    await nextTurn();
  }
  expect(condition()).toBe(true);
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    await nextTurn();
  }
}

beforeEach(() => {
  clock = new ManualClock();
  broker = new MemoryBroker({ clock, leaseDuration: 30_000 });
  ran = [];
});

afterEach(async () => {
  await pump?.abandon();
  pump = undefined;
  await leases.close();
  await broker.close();
  if (clock.pendingTimers > 0) {
    throw new Error('The pump left a timer behind.');
  }
});

describe('one queue', () => {
  it('is worked off in its order', async () => {
    const all = tasks('a', 100);
    await broker.publish(all);
    await start(['a'], 1);
    await until(() => ran.length === 100);
    expect(ran).toEqual(all.map(({ id }) => id));
  });

  it('fills all slots, and takes the next task of it as soon as one ends', async () => {
    await broker.publish(tasks('a', 10));
    const ends: (() => void)[] = [];
    const made = await start(
      ['a'],
      4,
      () => new Promise((resolve) => ends.push(() => resolve(DONE))),
    );
    await until(() => ends.length === 4);
    await settle();
    expect(made.running).toBe(4);
    expect(made.deliveries.map(({ lease }) => lease.id)).toEqual(['a-0', 'a-1', 'a-2', 'a-3']);
    ends[2]!();
    await until(() => ends.length === 5);
    expect(made.running).toBe(4);
    expect(ran.at(-1)).toBe('a-4');
  });

  it('is taken up again when work comes after it was empty', async () => {
    await start(['a'], 2);
    await settle();
    await broker.publish(tasks('a', 1));
    await until(() => ran.length === 1);
    await settle();
    await broker.publish(tasks('a', 3, 1));
    await until(() => ran.length === 4);
    expect(ran).toEqual(['a-0', 'a-1', 'a-2', 'a-3']);
  });

  it('is looked into after a nudge', async () => {
    const made = await start(['a'], 1);
    await settle();
    made.nudge('a');
    made.nudge('not-ours');
    await broker.publish(tasks('a', 1));
    await until(() => ran.length === 1);
    expect(ran).toEqual(['a-0']);
  });

  it('runs a task again that is retried: at once at its end, or when it is due', async () => {
    await broker.publish(tasks('a', 2));
    const recorded: string[] = [];
    await start(['a'], 1, async ({ data, lease: { id } }) => {
      if (data === 'done' || id !== 'a-0') return DONE;
      const dueAt = data === '{}' ? undefined : clock.now() + 1000;
      const task = { id, name: 'tests.task', queue: 'a', data: data === '{}' ? 'later' : 'done' };
      return {
        kind: 'retry',
        task: { ...task, ...(dueAt !== undefined && { dueAt }) },
        outcome: { record: { id, status: 'RETRY', payload: '{"status":"RETRY"}', ttl: null } },
        recorded: () => void recorded.push(id),
      };
    });
    await until(() => ran.length === 3);
    expect(ran).toEqual(['a-0', 'a-1', 'a-0']);
    await until(() => recorded.length === 2);
    expect(await broker.results.get('a-0')).toBe('{"status":"RETRY"}');
    expect(await broker.locate('a-0')).toEqual({ queue: 'a', state: 'delayed' });
    await clock.advanceAsync(999);
    expect(ran).toHaveLength(3);
    await clock.advanceAsync(1);
    expect(ran).toHaveLength(4);
    expect(await broker.locate('a-0')).toBeUndefined();
  });

  it('that fills all slots with tasks that go back is not lost', async () => {
    await broker.publish(tasks('a', 1));
    await start(['a'], 1, async ({ postponements }) =>
      postponements < 3 ? { kind: 'postpone', delay: 1000 } : DONE,
    );
    await clock.advanceAsync(3000);
    expect(ran).toHaveLength(4);
    expect(await broker.locate('a-0')).toBeUndefined();
  });
});

describe('many queues', () => {
  it('share one budget, which is never exceeded and always used', async () => {
    const queues = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    await broker.publish(queues.flatMap((queue) => tasks(queue, 20)));
    let now = 0;
    const seen: number[] = [];
    await start(queues, 5, async () => {
      now += 1;
      seen.push(now);
      const counts = await Promise.all(queues.map((queue) => broker.counts(queue)));
      expect(counts.reduce((sum, { active }) => sum + active, 0)).toBeLessThanOrEqual(5);
      await nextTurn();
      now -= 1;
      return DONE;
    });
    await until(() => ran.length === 140 && now === 0);
    expect(Math.max(...seen)).toBe(5);
    expect(new Set(ran).size).toBe(140);
  });

  it('each get their share while they have work', async () => {
    await broker.publish([...tasks('a', 1000), ...tasks('b', 1000), ...tasks('c', 1000)]);
    await start(['a', 'b', 'c'], 3, async () => {
      await nextTurn();
      return DONE;
    });
    await until(() => ran.length >= 900);
    for (const queue of ['a', 'b', 'c']) {
      const share = ran.slice(0, 900).filter((id) => id.startsWith(queue)).length;
      expect(share).toBeGreaterThan(250);
      expect(share).toBeLessThan(350);
    }
  });

  it.each([1, 2, 5])(
    'none starves behind one that never empties, with %i slots',
    async (concurrency) => {
      await broker.publish(tasks('busy', 500));
      await start(['busy', 'rare', 'other'], concurrency, async () => {
        clock.advance(20);
        await nextTurn();
        return DONE;
      });
      await until(() => ran.length >= 100);
      // By now the other queues were found empty.
      await broker.publish([...tasks('rare', 20), ...tasks('other', 1)]);
      const from = ran.length;
      const position = (id: string): number => ran.indexOf(id) - from;
      await until(() => ran.includes('rare-19') && ran.includes('other-0'));
      expect(position('rare-0')).toBeLessThan(40);
      expect(position('other-0')).toBeLessThan(40);
      expect(position('rare-19')).toBeLessThan(120);
    },
  );

  it('none starves behind one whose tasks all go back to its front', async () => {
    await broker.publish(tasks('stuck', 1));
    let left = 400;
    await start(['stuck', 'b'], 1, async ({ lease }) => {
      clock.advance(20);
      left -= 1;
      return lease.queue === 'stuck' && left > 0 ? { kind: 'release' } : DONE;
    });
    await until(() => ran.length > 50);
    await broker.publish(tasks('b', 1));
    await until(() => ran.includes('b-0'));
    expect(left).toBeGreaterThan(100);
  });
});

describe('delayed tasks', () => {
  it('run at their time, not before, in the order of their times', async () => {
    const now = clock.now();
    const [late, early] = tasks('a', 2);
    const [other] = tasks('b', 1);
    await start(['a', 'b'], 3);
    await settle();
    await broker.publish([{ ...late!, dueAt: now + 60_000 }]);
    await broker.publish([{ ...early!, dueAt: now + 7000 }]);
    await broker.publish([{ ...other!, dueAt: now + 20_500 }]);
    await clock.advanceAsync(6999);
    expect(ran).toEqual([]);
    await clock.advanceAsync(1);
    expect(ran).toEqual(['a-1']);
    await clock.advanceAsync(13_499);
    expect(ran).toEqual(['a-1']);
    await clock.advanceAsync(1);
    expect(ran).toEqual(['a-1', 'b-0']);
    await clock.advanceAsync(39_500);
    expect(ran).toEqual(['a-1', 'b-0', 'a-0']);
  });

  it('of a queue with other work run at their time too', async () => {
    const [delayed] = tasks('b', 1);
    await broker.publish([...tasks('a', 400), { ...delayed!, dueAt: clock.now() + 1000 }]);
    let at = 0;
    await start(['a', 'b'], 1, async ({ lease }) => {
      if (lease.queue === 'b') {
        at = clock.now();
      }
      clock.advance(10);
      await nextTurn();
      return DONE;
    });
    const due = clock.now() + 1000;
    await until(() => at > 0);
    expect(at).toBeGreaterThanOrEqual(due);
    expect(at).toBeLessThan(due + 400);
  });

  it('that were there before the worker run at their time', async () => {
    const [task] = tasks('a', 1);
    await broker.publish([{ ...task!, dueAt: clock.now() + 3_600_000 }]);
    await start(['a'], 1);
    await clock.advanceAsync(3_599_999);
    expect(ran).toEqual([]);
    await clock.advanceAsync(1);
    expect(ran).toEqual(['a-0']);
  });
});
