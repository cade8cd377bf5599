import { describe, expect, it } from '@jest/globals';

import { toLocalTime } from './server-time.util.js';

describe('toLocalTime', () => {
  it.each([
    ['within the question and its answer', 1_005],
    ['at the question', 1_000],
    ['at the answer', 1_010],
    ['off by the cut to whole milliseconds', 1_011],
  ])('takes the clocks for equal when the time of the server is %s', (_, serverNow) => {
    expect(toLocalTime(9_000, serverNow, 1_000, 1_010)).toBe(9_000);
  });

  it('moves the time by as much as the clocks differ', () => {
    expect(toLocalTime(9_000, 6_010, 1_000, 1_010)).toBe(4_000);
    expect(toLocalTime(9_000, 500, 1_000, 1_010)).toBe(9_500);
  });
});
