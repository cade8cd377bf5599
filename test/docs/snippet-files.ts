import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { CodeBlock, MarkdownPage } from './markdown-page.js';

/** A TypeScript file made of one block of a page, or of several. */
export interface SnippetFile {
  /** From the folder of all snippets, for example `docs-first-steps/app.module.ts`. */
  readonly path: string;
  readonly page: string;
  readonly text: string;
  /** For each line of `text`, the line of the page that it comes from. */
  readonly lines: readonly number[];
  /** What it prints, when it is marked to be run. */
  readonly output?: string;
}

const SNIPPET_APP = fileURLToPath(new URL('./snippet-app.ts', import.meta.url));

type Draft = { -readonly [K in keyof SnippetFile]: SnippetFile[K] };

/**
 * Makes files of the `ts` and `typescript` blocks of a page. Each is a file of its own, in a
 * folder of the page. Comments above a block change that, and are not shown to readers:
 *
 * - `<!-- file: blog.tasks.ts -->`: the name of the file, so that other blocks can import it;
 * - `<!-- continues -->`: the block goes on where the last `ts` block ended;
 * - `<!-- before: ... -->`, `<!-- after: ... -->`: TypeScript that stands before the block or after
 *   it, over any number of lines; `startApp` of `../app.js` is `snippet-app.ts`;
 * - `<!-- run -->`: the file is run, and prints what the next `text` block says.
 *
 * @throws Error - A comment makes no sense; it says where.
 */
export function snippetFiles(page: MarkdownPage): SnippetFile[] {
  const folder = page.path.replace(/\.md$/, '').replaceAll('/', '-');
  const files: Draft[] = [];
  page.blocks.forEach((block, index) => {
    if (block.language !== 'ts' && block.language !== 'typescript') return;
    const place = `${page.path}:${block.line}`;
    const { after, before, continues, name, run } = readDirectives(block, place);
    const text = [before, block.text, after].filter((part) => part !== '').join('\n');
    const hidden = (part: string): number[] => linesOf(part).map(() => block.line);
    const lines = [...hidden(before), ...pageLines(block), ...hidden(after)];
    let file = continues ? files.at(-1) : undefined;
    if (file) {
      file.text += `\n${text}`;
      file.lines = [...file.lines, ...lines];
    } else if (continues) {
      throw new Error(`${place} continues a block, but none is before it.`);
    } else {
      const path = `${folder}/${name ?? `line-${block.line}.ts`}`;
      if (files.some((other) => other.path === path)) {
        throw new Error(`${place} is the second file '${path}' of this page.`);
      }
      file = { path, page: page.path, text, lines };
      files.push(file);
    }
    if (run) file.output = outputAfter(page, index, place);
  });
  // A file without an import would be a script, and its names global.
  return files.map((file) => ({ ...file, text: `${file.text}\nexport {};\n` }));
}

/** A folder on disk with the files, and with the packages of this repository in reach. */
export class SnippetFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'docs-snippets-'));

  constructor(root: string, files: readonly SnippetFile[]) {
    symlinkSync(join(root, 'node_modules'), join(this.path, 'node_modules'));
    writeFileSync(join(this.path, 'package.json'), '{ "type": "module" }');
    copyFileSync(SNIPPET_APP, join(this.path, 'app.ts'));
    for (const { path, text } of files) {
      mkdirSync(dirname(join(this.path, path)), { recursive: true });
      writeFileSync(join(this.path, path), text);
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

interface Directives {
  readonly name: string | undefined;
  readonly before: string;
  readonly after: string;
  readonly continues: boolean;
  readonly run: boolean;
}

function readDirectives({ directives }: CodeBlock, place: string): Directives {
  let name: string | undefined;
  let before = '';
  let after = '';
  let continues = false;
  let run = false;
  for (const directive of directives) {
    const [, key = directive, value = ''] =
      /^(file|before|after):\s*([\s\S]*)$/.exec(directive) ?? [];
    if (key === 'file' && value.endsWith('.ts')) name = value;
    else if (key === 'before') before = value;
    else if (key === 'after') after = value;
    else if (key === 'continues') continues = true;
    else if (key === 'run') run = true;
    else throw new Error(`${place} has a comment that means nothing: <!-- ${directive} -->.`);
  }
  return { name, before, after, continues, run };
}

function outputAfter(page: MarkdownPage, index: number, place: string): string {
  const next = page.blocks[index + 1];
  if (next?.language !== 'text') {
    throw new Error(`${place} is to be run, but no block of 'text' with its output is next.`);
  }
  return next.text;
}

function pageLines({ line, text }: CodeBlock): number[] {
  return linesOf(text).map((_, index) => line + index);
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n');
}
