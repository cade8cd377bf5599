import { describe, expect, it } from '@jest/globals';

import { MAX_TABLE_CELLS, readMarkdown } from './markdown.reader.js';

describe('readMarkdown', () => {
  it('reads an empty text', () => {
    expect(readMarkdown('')).toEqual({
      title: null,
      words: 0,
      links: 0,
      headings: 0,
      readingMinutes: 0,
      html: '',
    });
  });

  it('renders and counts', () => {
    const facts = readMarkdown(
      '# First *steps*\n\nRun `npm ci` and [read on](guide.md).\n\n## Next\n\n- one\n- two\n',
    );
    expect(facts).toMatchObject({
      title: 'First steps',
      words: 11,
      links: 1,
      headings: 2,
      readingMinutes: 1,
    });
    expect(facts.html).toContain('<h1>First <em>steps</em></h1>');
    expect(facts.html).toContain('<a href="guide.md">read on</a>');
  });

  it('counts inline, reference and bare links, and no images', () => {
    const { links } = readMarkdown(
      '[a](x) [b][ref] [ref] https://example.org <https://example.org>\n\n' +
        '![picture](p.png) [undefined]\n\n[ref]: https://example.org',
    );
    expect(links).toBe(5);
  });

  it('counts links in headings, lists, quotes and tables', () => {
    const { links } = readMarkdown(
      '# [h](1)\n\n- [l](2)\n  1. [m](3)\n\n> [q](4)\n\n| [t](5) |\n|---|\n| [c](6) |\n',
    );
    expect(links).toBe(6);
  });

  it('counts no code blocks, tags, link targets or entities as words', () => {
    const { words } = readMarkdown(
      'one\n\n```js\nnot these words\n```\n\n    nor these\n\n' +
        '<div class="no">\nno words\n</div>\n\n[two](no/words) three &amp; four\n\n---\n',
    );
    expect(words).toBe(4);
  });

  it('keeps a word together that has an escape or emphasis in it', () => {
    expect(readMarkdown('foo\\_bar **un**done').words).toBe(2);
  });

  it('keeps words apart that only a tag, a cell or an item separates', () => {
    expect(readMarkdown('a<br>b').words).toBe(2);
    expect(readMarkdown('|a|b|\n|-|-|\n|c|d|').words).toBe(4);
    expect(readMarkdown('- a\n- b').words).toBe(2);
    expect(readMarkdown('- [ ] task').words).toBe(1);
  });

  it('counts both kinds of headings, and none in code', () => {
    const { headings, title } = readMarkdown('Top\n===\n\nSub\n---\n\n```\n# no\n```\n');
    expect({ headings, title }).toEqual({ headings: 2, title: 'Top' });
  });

  it('has an empty title for an empty first heading', () => {
    expect(readMarkdown('#\n\n# Second').title).toBe('');
  });

  it('reads Windows line ends', () => {
    expect(readMarkdown('# A\r\n\r\nb c\r\n')).toMatchObject({ headings: 1, words: 3 });
  });

  it('refuses a small text that would become a huge table', () => {
    const columns = 3000;
    const bomb = `${'|'.repeat(columns)}\n${'|-'.repeat(columns - 1)}|\n${'|a\n'.repeat(1000)}`;
    expect(bomb.length).toBeLessThan(13_000);
    expect(() => readMarkdown(bomb)).toThrow(RangeError);
    expect(() => readMarkdown(bomb)).toThrow(String(MAX_TABLE_CELLS));
  });

  it('adds up tables that a blank line separates', () => {
    const table = `${'|'.repeat(600)}\n${'|a\n'.repeat(599)}\n`;
    expect(() => readMarkdown(table.repeat(2))).toThrow(RangeError);
  });

  it('reads ordinary large tables', () => {
    const { words } = readMarkdown(`|a|b|\n|-|-|\n${'|c|d|\n'.repeat(5000)}`);
    expect(words).toBe(10_002);
  });
});
