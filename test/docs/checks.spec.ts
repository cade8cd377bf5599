import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

import { commandFaults } from './command-lines.js';
import { deadLinks, parsePage } from './markdown-page.js';
import { settingsFaults, unknownSettings } from './settings-lines.js';
import { snippetFiles, SnippetFolder } from './snippet-files.js';
import { outputOf } from './snippet-run.js';
import { typeErrors } from './snippet-types.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const page = (...lines: string[]) => parsePage('docs/a.md', lines.join('\n'));

describe('a page', () => {
  it('gives its blocks with their lines and the comments above them', () => {
    const { blocks } = page(
      '# A',
      '',
      '<!-- run -->',
      '```ts',
      'a;',
      'b;',
      '```',
      '',
      '```bash',
      '```',
    );

    expect(blocks).toEqual([
      { language: 'ts', text: 'a;\nb;', line: 5, directives: ['run'] },
      { language: 'bash', text: '', line: 10, directives: [] },
    ]);
  });

  it('does not hand a comment on to a block further down', () => {
    expect(page('<!-- run -->', '', 'Text.', '', '```ts', '```').blocks[0]?.directives).toEqual([]);
  });

  it('refuses a block inside a list, where it would not be checked', () => {
    expect(() => page('- a', '  ```ts', '  a;', '  ```')).toThrow('inside a list');
  });

  it('makes the anchors that GitHub makes', () => {
    const { anchors } = page(
      '# The `delay()` of A, B',
      '## The file \\_\\_init\\_\\_.py',
      '# A',
      '# A',
    );

    expect([...anchors]).toEqual(['the-delay-of-a-b', 'the-file-__init__py', 'a', 'a-1']);
  });

  it('names the links that lead nowhere', () => {
    const links = ['b.md', 'c.md', '#a', '#b', 'b.md#x', 'b.md#y', 'https://example.com/#z'];
    const a = page('# A', ...links.map((link) => `[text](${link})`));
    const b = parsePage('docs/b.md', '# X');

    expect(deadLinks(a, [a, b], (path) => path === a.path || path === b.path)).toEqual([
      'c.md',
      '#b',
      'b.md#y',
    ]);
  });
});

describe('snippets', () => {
  it('are put together as their comments say', () => {
    const files = snippetFiles(
      page(
        '<!-- file: one.ts -->',
        '<!-- before:',
        'const a = 1;',
        '-->',
        '```ts',
        'a;',
        '```',
        '<!-- continues -->',
        '<!-- after: c; -->',
        '```ts',
        'const c = 3;',
        '```',
        '```typescript',
        'd;',
        '```',
        '```python',
        'e',
        '```',
      ),
    );

    expect(files).toEqual([
      {
        path: 'docs-a/one.ts',
        page: 'docs/a.md',
        text: 'const a = 1;\na;\nconst c = 3;\nc;\nexport {};\n',
        lines: [6, 6, 11, 11],
      },
      { path: 'docs-a/line-14.ts', page: 'docs/a.md', text: 'd;\nexport {};\n', lines: [14] },
    ]);
  });

  it.each([
    ['an unknown comment', ['<!-- skip -->', '```ts', '```'], 'means nothing'],
    ['nothing to continue', ['<!-- continues -->', '```ts', '```'], 'none is before it'],
    [
      'a run without its output',
      ['<!-- run -->', '```ts', '```', '```ts', '```'],
      "block of 'text'",
    ],
    [
      'one name twice',
      ['<!-- file: a.ts -->', '```ts', '```', '<!-- file: a.ts -->', '```ts', '```'],
      'second file',
    ],
  ])('refuse %s', (_what, lines, message) => {
    expect(() => snippetFiles(page(...lines))).toThrow(message);
  });

  it('that do not compile are named with their page and line; those that print are run', async () => {
    const files = snippetFiles(
      page(
        '# A',
        '',
        '```ts',
        "const text: string = 'a';",
        'const number: number = text;',
        '```',
        '<!-- run -->',
        '```ts',
        "import { VERSION } from 'nestjs-celery';",
        'console.log(typeof VERSION, { a: 1 });',
        '```',
        '```text',
        '```',
      ),
    );
    const folder = new SnippetFolder(ROOT, files);
    try {
      expect(typeErrors(ROOT, folder.path, files)).toEqual([
        "docs/a.md:5 TS2322: Type 'string' is not assignable to type 'number'.",
      ]);
      expect(await outputOf(join(folder.path, files[1]!.path))).toBe('string { a: 1 }');
    } finally {
      folder.remove();
    }
  }, 120_000);
});

describe('commands', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const check = (text: string) => commandFaults(text, { root: ROOT, scripts });

  it.each([
    'npm ci && npm run typecheck',
    'npm test # all of them',
    'npm install bullmq ioredis',
    'A=1 node dist/apps/worker/test/docs/checks.spec.js',
    "curl -X POST localhost:3000/reports \\\n  -d '{}'",
  ])('that exist pass: %s', (text) => {
    expect(check(text)).toEqual([]);
  });

  it.each([
    ['npm run nothing', "package.json has no script 'nothing'."],
    ['npm start', "package.json has no script 'start'."],
    ['celery worker', "'celery' is no known program."],
    ['node tools/nothing.mjs', "There is no file 'tools/nothing.mjs'."],
    ['npm ci && node ./libs/nothing.js', "There is no file './libs/nothing.js'."],
  ])('that do not exist are named: %s', (text, fault) => {
    expect(check(text)).toEqual([fault]);
  });

  it('that run a script whose file is missing are named', () => {
    const broken = { demo: 'node tools/nothing.mjs' };

    expect(commandFaults('npm run demo', { root: ROOT, scripts: broken })).toEqual([
      "The script 'demo' runs 'tools/nothing.mjs', which does not exist.",
    ]);
  });
});

describe('settings', () => {
  it('pass when they are known, refused or another name of one', () => {
    const known =
      'CELERY_BROKER_URL CELERY_BROKER_HOST CELERYD_CONCURRENCY CELERY_WORKER_* CELERY_';

    expect(unknownSettings(`${known} CELERY_TEST_FULL MY_CELERY_NAME`)).toEqual([]);
  });

  it('are named when there are none', () => {
    expect(unknownSettings('`CELERY_BROKER_URI` and CELERY_NOTHING_*')).toEqual([
      'CELERY_BROKER_URI',
      'CELERY_NOTHING_',
    ]);
  });

  it('are read as a .env file', () => {
    expect(settingsFaults('# a comment\nPORT=1\nCELERY_RESULT_EXPIRES=2h')).toEqual([]);
    expect(settingsFaults('CELERY_RESULT_EXPIRES=soon')[0]).toMatch('CELERY_RESULT_EXPIRES');
    expect(settingsFaults('CELERY_TASK_DEFAULT_RATE_LIMIT=1/m')[0]).toMatch('no effect');
  });
});
