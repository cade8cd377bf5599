import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { commandFaults } from './command-lines.js';
import { deadLinks, type MarkdownPage, readPage } from './markdown-page.js';
import { type SnippetFile, snippetFiles, SnippetFolder } from './snippet-files.js';
import { settingsFaults, unknownSettings } from './settings-lines.js';
import { outputOf } from './snippet-run.js';
import { typeErrors } from './snippet-types.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PATHS = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .toSorted(),
];
const PAGES: readonly MarkdownPage[] = PATHS.map((path) => readPage(ROOT, path));
const FILES: readonly SnippetFile[] = PAGES.flatMap(snippetFiles);
const RUN = FILES.filter(({ output }) => output !== undefined);

describe('the snippets of the documentation', () => {
  let folder: SnippetFolder;

  beforeAll(() => {
    folder = new SnippetFolder(ROOT, FILES);
  });

  afterAll(() => {
    folder.remove();
  });

  it('are accepted by the compiler', () => {
    expect(FILES.length).toBeGreaterThan(30);
    expect(typeErrors(ROOT, folder.path, FILES)).toEqual([]);
  }, 120_000);

  it.each(RUN.map((file) => [`${file.page}:${file.lines[0]}`, file] as const))(
    'print what the page says: %s',
    async (_place, { output, path }) => {
      expect(await outputOf(join(folder.path, path))).toBe(output);
    },
    30_000,
  );
});

describe.each(PAGES.map((page) => [page.path, page] as const))('%s', (_path, page) => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };

  it('begins with a heading', () => {
    expect(page.text.replace(/^(?:<!--[\s\S]*?-->\s*)*/, '')).toMatch(/^# \S/);
  });

  it('names only commands, scripts and files that there are', () => {
    const faults = page.blocks
      .filter(({ language }) => language === 'bash')
      .flatMap(({ line, text }) =>
        commandFaults(text, { root: ROOT, scripts }).map(
          (fault) => `${page.path}:${line} ${fault}`,
        ),
      );

    expect(faults).toEqual([]);
  });

  it('has links that lead somewhere', () => {
    const dead = deadLinks(page, PAGES, (path) => existsSync(join(ROOT, path)));

    expect(dead).toEqual([]);
  });

  it('shows only JSON that can be read', () => {
    const read = page.blocks.filter(({ language }) => language === 'json');

    expect(() => read.forEach(({ text }) => JSON.parse(text))).not.toThrow();
  });

  it('names only settings that there are', () => {
    expect(unknownSettings(page.text)).toEqual([]);
  });

  it('shows configuration that is accepted', () => {
    const faults = page.blocks
      .filter(({ language }) => language === 'ini')
      .flatMap(({ line, text }) =>
        settingsFaults(text).map((fault) => `${page.path}:${line} ${fault}`),
      );

    expect(faults).toEqual([]);
  });
});
