import { describe, expect, it } from '@jest/globals';
import { QueueShare } from './queue-share.js';

function setup(...queues: string[]) {
  const time = { now: 1000 };
  const share = new QueueShare(queues, () => time.now);
  /** Fetches from the next queue, finds a task, and keeps the slot. */
  const take = (lookAround = false): string | undefined => {
    const queue = share.next(lookAround);
    if (queue !== undefined) {
      share.fetchStarted(queue);
      share.fetchFound(queue);
    }
    return queue;
  };
  /** Fetches from `queue` and finds it empty. */
  const empty = (queue: string): void => {
    share.fetchStarted(queue);
    share.fetchEmpty(queue);
  };
  return { share, time, take, empty };
}

describe('QueueShare', () => {
  it('looks into every queue at first, in the order given', () => {
    const { share, take } = setup('a', 'b', 'c');
    expect(share.names).toEqual(['a', 'b', 'c']);
    expect([take(), take(), take()]).toEqual(['a', 'b', 'c']);
  });

  it('gives a free slot to the queue with the fewest', () => {
    const { share, take } = setup('a', 'b');
    expect([take(), take(), take(), take()]).toEqual(['a', 'b', 'a', 'b']);
    share.slotEnded('b');
    share.slotEnded('b');
    expect([take(), take()]).toEqual(['b', 'b']);
  });

  it('among equals takes the one that waited longest', () => {
    const { share, take } = setup('a', 'b', 'c');
    const order: (string | undefined)[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      const queue = take();
      order.push(queue);
      share.slotEnded(queue!);
    }
    expect(order).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  });

  it('leaves a queue found empty alone until there is a sign of work', () => {
    const { share, empty } = setup('a', 'b');
    empty('a');
    empty('b');
    expect(share.anyReady).toBe(false);
    expect(share.next(false)).toBeUndefined();
    share.markReady('b');
    expect(share.anyReady).toBe(true);
    expect(share.next(false)).toBe('b');
    empty('b');
    share.markReady();
    expect(share.next(false)).toBe('a');
  });

  it('looks again into a queue found empty 100 ms ago, when asked to look around', () => {
    const { share, time, empty } = setup('a');
    empty('a');
    expect(share.next(true)).toBeUndefined();
    time.now += 99;
    expect(share.next(true)).toBeUndefined();
    time.now += 1;
    expect(share.next(false)).toBeUndefined();
    expect(share.next(true)).toBe('a');
    empty('a');
    expect(share.next(true)).toBeUndefined();
  });

  it('fetches once at a time until a fetch succeeds, then twice, four times, ...', () => {
    const { share } = setup('a');
    const startAll = (): number => {
      let started = 0;
      while (share.next(false) !== undefined && started < 100) {
        share.fetchStarted('a');
        started += 1;
      }
      return started;
    };
    expect(startAll()).toBe(1);
    share.fetchFound('a');
    expect(startAll()).toBe(2);
    share.fetchFound('a');
    expect(startAll()).toBe(3);
    share.fetchFailed('a');
    share.fetchFailed('a');
    share.fetchFailed('a');
    share.fetchFailed('a');
    expect(startAll()).toBe(1);
  });

  it('does not count the slot of a fetch that failed, and tries the queue again', () => {
    const { share } = setup('a', 'b');
    share.fetchStarted('a');
    share.fetchFailed('a');
    share.fetchStarted('b');
    share.fetchFound('b');
    expect(share.next(false)).toBe('a');
  });

  it('notes an empty queue found while a slot finished', () => {
    const { share, take } = setup('a');
    take();
    share.foundEmpty('a');
    expect(share.next(false)).toBeUndefined();
    share.slotEnded('a');
    expect(share.next(false)).toBeUndefined();
  });

  it('lets a slot stay with its queue for eight tasks, and for ever with the only queue', () => {
    const many = setup('a', 'b').share;
    expect([1, 7, 8, 9, 15, 16].filter((inARow) => !many.mayStay(inARow))).toEqual([8, 16]);
    expect(setup('a').share.mayStay(8)).toBe(true);
  });

  it('refuses a queue that it does not have', () => {
    expect(() => setup('a').share.fetchStarted('b')).toThrow(
      "The queue 'b' is not consumed by this worker.",
    );
  });
});
