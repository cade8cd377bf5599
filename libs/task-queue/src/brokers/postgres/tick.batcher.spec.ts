import { describe, expect, it, jest } from '@jest/globals';

import { TickBatcher } from './tick.batcher.js';

const BAD = new Error('bad item');

function batcherOf(store: (items: readonly string[]) => Promise<void>, limit = 100) {
  return new TickBatcher<string>({
    store,
    limit,
    weight: (item) => item.length,
    isItemsFault: (error) => error === BAD,
  });
}

describe('TickBatcher', () => {
  it('stores in one step what came in one turn, in the order it came', async () => {
    const store = jest.fn(async (_items: readonly string[]) => undefined);
    const batcher = batcherOf(store);
    await Promise.all(['a', 'b', 'c'].map((item) => batcher.add(item)));
    await batcher.add('d');
    expect(store.mock.calls).toEqual([[['a', 'b', 'c']], [['d']]]);
  });

  it('begins a new batch when one is full, and lets a large item pass alone', async () => {
    const store = jest.fn(async (_items: readonly string[]) => undefined);
    const batcher = batcherOf(store, 3);
    await Promise.all(['aa', 'b', 'c', 'ddddd', 'e'].map((item) => batcher.add(item)));
    expect(store.mock.calls).toEqual([[['aa', 'b']], [['c']], [['ddddd']], [['e']]]);
  });

  it('lets one bad item fail alone', async () => {
    const stored: string[] = [];
    const batcher = batcherOf(async (items) => {
      if (items.includes('bad')) {
        throw BAD;
      }
      stored.push(...items);
    });
    const results = await Promise.allSettled(['a', 'bad', 'b'].map((item) => batcher.add(item)));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(stored).toEqual(['a', 'b']);
  });

  it('does not ask a store that is away once more for every item', async () => {
    const store = jest.fn(async (_items: readonly string[]) => {
      throw new Error('away');
    });
    const batcher = batcherOf(store);
    const results = await Promise.allSettled(['a', 'b'].map((item) => batcher.add(item)));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(store).toHaveBeenCalledTimes(1);
  });
});
