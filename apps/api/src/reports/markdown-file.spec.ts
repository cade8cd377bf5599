import { describe, expect, it } from '@jest/globals';
import { BadRequestException } from '@nestjs/common';

import { isMarkdown, safeName } from './markdown-file.js';

describe('safeName', () => {
  it.each([
    ['a.md', 'a.md'],
    ['docs/a.md', 'docs/a.md'],
    ['./docs//a.md', 'docs/a.md'],
    ['docs\\a.md', 'docs/a.md'],
    ['docs/', 'docs'],
    ['a..b.md', 'a..b.md'],
    ['...md', '...md'],
  ])('takes %j as %j', (name, safe) => {
    expect(safeName(name)).toBe(safe);
  });

  it.each([
    '',
    '.',
    '/',
    '/a.md',
    '\\a.md',
    '..',
    'a/..',
    'a/../b.md',
    'c:a.md',
    'a\nb.md',
    `${'a'.repeat(500)}.md`,
  ])('refuses %j', (name) => {
    expect(() => safeName(name)).toThrow(BadRequestException);
  });
});

describe('isMarkdown', () => {
  it.each([
    ['a.md', true],
    ['A.MD', true],
    ['a.markdown', true],
    ['a.mdx', false],
    ['md', false],
    ['a.md.txt', false],
  ])('%j: %s', (name, expected) => {
    expect(isMarkdown(name)).toBe(expected);
  });
});
