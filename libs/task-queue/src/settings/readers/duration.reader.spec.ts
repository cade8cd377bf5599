import { describe, expect, it } from '@jest/globals';
import { readDuration } from './duration.reader.js';

describe('readDuration', () => {
  it.each([
    [90, 90],
    [0.5, 0.5],
    [0, 0],
    [-1, -1],
    ['90', 90],
    [' 1.5 ', 1.5],
    ['500ms', 0.5],
    ['90s', 90],
    ['15m', 900],
    ['2h', 7200],
    ['1D', 86_400],
    ['1w', 604_800],
    ['1h30m', 5400],
    ['1h 30m', 5400],
    ['0.1s 0.2s', 0.3],
    ['PT5M', 300],
    ['P1DT2H', 93_600],
    ['pt0.5s', 0.5],
  ])('reads %p as %p seconds', (value, seconds) => {
    expect(readDuration(value)).toBe(seconds);
  });

  it.each([
    'abc',
    '',
    '10x',
    '1h30',
    '-5m',
    'P',
    'PT',
    'P1M',
    '1e3',
    NaN,
    Infinity,
    true,
    null,
    undefined,
    {},
    [5],
  ])('does not read %p', (value) => {
    expect(readDuration(value)).toBeUndefined();
  });
});
