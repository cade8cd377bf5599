import { describe, expect, it } from '@jest/globals';

import { mapLimited } from './map-limited.util.js';

describe('mapLimited', () => {
  it('keeps the order, and runs at most so many at a time', async () => {
    let running = 0;
    let most = 0;
    const results = await mapLimited([5, 1, 4, 2, 3], 2, async (item) => {
      running += 1;
      most = Math.max(most, running);
      for (let turn = 0; turn < item; turn += 1) {
        await Promise.resolve();
      }
      running -= 1;
      return item * 10;
    });
    expect(results).toEqual([50, 10, 40, 20, 30]);
    expect(most).toBe(2);
  });

  it('begins nothing more after a failure', async () => {
    const begun: number[] = [];
    const run = mapLimited([1, 2, 3, 4], 1, async (item) => {
      begun.push(item);
      if (item === 2) throw new Error('away');
    });
    await expect(run).rejects.toThrow('away');
    expect(begun).toEqual([1, 2]);
  });

  it('resolves with nothing for nothing', async () => {
    expect(await mapLimited([], 3, async () => 1)).toEqual([]);
  });
});
