import { describe, expect, it } from '@jest/globals';
import { array, assert, boolean, integer, property, tuple } from 'fast-check';

import { TimedHeap } from './timed.heap.js';

function drain<T>(heap: TimedHeap<T>): T[] {
  const items: T[] = [];
  while (heap.size > 0) {
    items.push(heap.takeDue(Infinity)!);
  }
  return items;
}

describe('TimedHeap', () => {
  it('gives items by time, equals in the order they were added', () => {
    assert(
      property(array(integer({ min: 0, max: 20 })), (times) => {
        const heap = new TimedHeap<number>();
        times.forEach((at, position) => heap.add(at, position));
        const expected = times
          .map((_, position) => position)
          .toSorted((a, b) => times[a]! - times[b]! || a - b);
        expect(drain(heap)).toEqual(expected);
      }),
    );
  });

  it('stays ordered when items are taken out of the middle', () => {
    assert(
      property(array(tuple(integer({ min: 0, max: 50 }), boolean())), (entries) => {
        const heap = new TimedHeap<number>();
        const nodes = entries.map(([at], position) => heap.add(at, position));
        entries.forEach(([, out], position) => out && heap.remove(nodes[position]!));
        const times = drain(heap).map((position) => entries[position]![0]);
        expect(times).toEqual(
          entries
            .filter(([, out]) => !out)
            .map(([at]) => at)
            .toSorted((a, b) => a - b),
        );
      }),
    );
  });

  it('takes only what is due', () => {
    const heap = new TimedHeap<string>();
    heap.add(10, 'a');
    expect(heap.takeDue(9)).toBeUndefined();
    expect(heap.first?.at).toBe(10);
    expect(heap.takeDue(10)).toBe('a');
    expect(heap.takeDue(10)).toBeUndefined();
    expect(heap.first).toBeUndefined();
  });

  it('ignores a second removal', () => {
    const heap = new TimedHeap<string>();
    const a = heap.add(1, 'a');
    heap.add(2, 'b');
    heap.remove(a);
    heap.remove(a);
    expect(drain(heap)).toEqual(['b']);
  });
});
