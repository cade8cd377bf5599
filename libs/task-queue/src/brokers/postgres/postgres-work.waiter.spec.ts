import { describe, expect, it } from '@jest/globals';

import { ManualClock } from '../../clock/manual.clock.js';
import { PostgresWorkWaiter } from './postgres-work.waiter.js';

const TIMEOUT = 60_000;

/** A waiter over a store whose answer is `rows`, by queue: ready, or due in so many ms. */
function setUp(rows: Record<string, 'ready' | number | null> = {}) {
  const clock = new ManualClock();
  const asked: (readonly string[])[] = [];
  const waiter = new PostgresWorkWaiter({
    clock,
    listen: async () => undefined,
    look: async (queues) => {
      asked.push(queues);
      return queues.map((queue) => {
        const due = rows[queue];
        return {
          o_queue: queue,
          o_ready: due === 'ready',
          o_due: typeof due === 'number' ? String(clock.now() + due) : null,
          o_now: String(clock.now()),
        };
      });
    },
  });
  return { waiter, clock, asked };
}

describe('PostgresWorkWaiter', () => {
  it('answers at once when the store has work', async () => {
    const { waiter, clock } = setUp({ b: 'ready' });
    await expect(waiter.wait(['a', 'b'], TIMEOUT)).resolves.toEqual([{ queue: 'b' }]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends with the timeout when there is nothing', async () => {
    const { waiter, clock } = setUp();
    const wait = waiter.wait(['a'], TIMEOUT);
    await clock.advanceAsync(TIMEOUT);
    await expect(wait).resolves.toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('wakes when a delayed task is due', async () => {
    const { waiter, clock } = setUp({ a: 5000, b: 700 });
    const start = clock.now();
    const wait = waiter.wait(['a', 'b'], TIMEOUT).then((signs) => ({ signs, at: clock.now() }));
    await clock.advanceAsync(TIMEOUT);
    await expect(wait).resolves.toEqual({ signs: [{ queue: 'b' }], at: start + 700 });
  });

  it('wakes for a notification of a queue that is waited for', async () => {
    const { waiter } = setUp();
    const wait = waiter.wait(['a'], TIMEOUT);
    waiter.notice('other');
    waiter.notice('a');
    await expect(wait).resolves.toEqual([{ queue: 'a' }]);
  });

  it('remembers what was noticed between two waits, until the queue is fetched from', async () => {
    const { waiter, asked } = setUp({ a: 'ready' });
    waiter.notice('b');
    await expect(waiter.wait(['a', 'b'], TIMEOUT)).resolves.toEqual([{ queue: 'b' }]);
    waiter.notice('b');
    waiter.forget('b');
    expect(asked).toEqual([]);
    await expect(waiter.wait(['a', 'b'], TIMEOUT)).resolves.toEqual([{ queue: 'a' }]);
  });

  it('ends at once when it is told to, and a later wait is not touched by it', async () => {
    const { waiter, clock } = setUp();
    waiter.wakeUp();
    const first = waiter.wait(['a'], TIMEOUT);
    waiter.wakeUp();
    await expect(first).resolves.toEqual([]);
    const second = waiter.wait(['a'], TIMEOUT);
    await clock.advanceAsync(10);
    waiter.doubt();
    await expect(second).resolves.toEqual([{ queue: 'a' }]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('sets no timer when the store answers after the end of the wait', async () => {
    const { waiter, clock } = setUp({ a: 700 });
    const wait = waiter.wait(['a'], TIMEOUT);
    waiter.wakeUp();
    await wait;
    await clock.advanceAsync(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('fails when the store cannot be asked, and can be used again', async () => {
    const clock = new ManualClock();
    const answers = [Promise.reject(new Error('away')), Promise.resolve()];
    const waiter = new PostgresWorkWaiter({
      clock,
      listen: () => answers.shift()!,
      look: async () => [{ o_queue: 'a', o_ready: true, o_due: null, o_now: '0' }],
    });
    await expect(waiter.wait(['a'], TIMEOUT)).rejects.toThrow('away');
    await expect(waiter.wait(['a'], TIMEOUT)).resolves.toEqual([{ queue: 'a' }]);
    expect(clock.pendingTimers).toBe(0);
  });
});
