import { describe, expect, it } from '@jest/globals';

import { countWords, readingMinutes } from './word.counter.js';

describe('countWords', () => {
  it.each([
    ['', 0],
    [' \n\t ', 0],
    ['--- *** !!!', 0],
    ['one', 1],
    ['one two\nthree', 3],
    ["don't stop", 2],
    ['a well-known file.name v1.2.3', 4],
    ['end. Next', 2],
    ['snake_case', 1],
    ['caf\u00e9 cafe\u0301', 2],
    ['\u5f02\u6b65\u4efb\u52a1', 4],
    ['\u5728celery\u4e2d', 3],
    ['\u304b\u306a', 2],
    ['\ud55c\uad6d\uc5b4 \ub2e8\uc5b4', 2],
    ['\u{20000}\u{20001}', 2],
    ['\u{1f600} smile', 1],
  ])('counts %j as %i', (text, words) => {
    expect(countWords(text)).toBe(words);
  });

  it('reads a long run without a space in linear time', () => {
    expect(countWords('a'.repeat(1_000_000))).toBe(1);
    expect(countWords('a-'.repeat(500_000))).toBe(1);
  });
});

describe('readingMinutes', () => {
  it.each([
    [0, 0],
    [1, 1],
    [220, 1],
    [221, 2],
    [2200, 10],
  ])('takes %i words for %i minutes', (words, minutes) => {
    expect(readingMinutes(words)).toBe(minutes);
  });
});
