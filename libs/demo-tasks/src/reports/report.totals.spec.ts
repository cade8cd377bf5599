import { describe, expect, it } from '@jest/globals';

import { totalsOf } from './report.totals.js';

describe('totalsOf', () => {
  it('is zero without files', () => {
    expect(totalsOf([])).toEqual({ files: 0, words: 0, links: 0, headings: 0, readingMinutes: 0 });
  });

  it('sums up, and rounds the reading time once', () => {
    const file = { title: null, words: 100, links: 1, headings: 2, readingMinutes: 1 };
    expect(totalsOf([file, file, file])).toEqual({
      files: 3,
      words: 300,
      links: 3,
      headings: 6,
      readingMinutes: 2,
    });
  });
});
