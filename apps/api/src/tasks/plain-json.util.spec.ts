import { describe, expect, it } from '@jest/globals';

import { toPlainJson } from './plain-json.util.js';

describe('toPlainJson', () => {
  it.each([
    [undefined, null],
    [null, null],
    [5, 5],
    [12n, '12'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [Number.NaN, 'NaN'],
    [new Date(0), '1970-01-01T00:00:00.000Z'],
    [new Map([['a', 1n]]), [['a', '1']]],
    [{ set: new Set([1]) }, { set: [1] }],
    [new URL('https://example.org/'), 'https://example.org/'],
  ])('shows %p as %j', (value, shown) => {
    expect(toPlainJson(value)).toEqual(shown);
  });
});
