import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Marked, type Token, type Tokens } from 'marked';

/** A fenced block. */
export interface CodeBlock {
  /** The word after the fence, in lower case; empty for none. */
  readonly language: string;
  readonly text: string;
  /** Line of the first line of `text` in the page, from 1. */
  readonly line: number;
  /** The comments directly above the block: `<!-- file: a.ts -->` is `['file: a.ts']`. */
  readonly directives: readonly string[];
}

/** A page of the documentation, taken apart. */
export interface MarkdownPage {
  /** Path from the root of the repository, for example `docs/first-steps.md`. */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly CodeBlock[];
  /** Where `#...` may point to, as GitHub makes it of the headings. */
  readonly anchors: ReadonlySet<string>;
  /** Targets of all links and images. */
  readonly links: readonly string[];
}

const COMMENT = /<!--\s*([\s\S]*?)\s*-->/g;

/** Reads a page from the disk. */
export function readPage(root: string, path: string): MarkdownPage {
  return parsePage(path, readFileSync(join(root, path), 'utf8'));
}

/** @throws Error when a fenced block is inside a list or a quote, where it is not looked for. */
export function parsePage(path: string, text: string): MarkdownPage {
  const marked = new Marked({ gfm: true });
  const tokens = marked.lexer(text);
  const blocks = topLevelBlocks(tokens);
  const links: string[] = [];
  const anchors = new Set<string>();
  let codeCount = 0;
  void marked.walkTokens(tokens, (token) => {
    if (token.type === 'code') codeCount += 1;
    if (token.type === 'link' || token.type === 'image') links.push((token as Tokens.Link).href);
    if (token.type === 'heading') addAnchor(anchors, plainText(token));
  });
  if (codeCount !== blocks.length) {
    throw new Error(`${path} has a block of code inside a list or a quote: put it at the margin.`);
  }
  return { path, text, blocks, anchors, links };
}

/**
 * The relative links of `page` that lead nowhere.
 *
 * @param pages - The pages whose headings are known.
 * @param exists - Whether there is a file or folder, by its path from the root.
 */
export function deadLinks(
  page: MarkdownPage,
  pages: readonly MarkdownPage[],
  exists: (path: string) => boolean,
): string[] {
  return page.links.filter((href) => {
    if (/^[a-z][a-z0-9+.-]*:/i.test(href)) return false;
    const [file = '', anchor = ''] = href.split('#');
    const path = file === '' ? page.path : join(dirname(page.path), file);
    const target = pages.find((other) => other.path === path);
    return !exists(path) || (anchor !== '' && target?.anchors.has(anchor) !== true);
  });
}

function topLevelBlocks(tokens: readonly Token[]): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let line = 1;
  let directives: string[] = [];
  for (const token of tokens) {
    if (token.type === 'html') {
      directives.push(...[...token.raw.matchAll(COMMENT)].map(([, comment]) => comment!));
    } else if (token.type === 'code') {
      const { lang = '', text } = token as Tokens.Code;
      blocks.push({ language: lang.toLowerCase(), text, line: line + 1, directives });
      directives = [];
    } else if (token.type !== 'space') {
      directives = [];
    }
    line += token.raw.split('\n').length - 1;
  }
  return blocks;
}

function plainText(token: Token): string {
  const { text = '', tokens } = token as Tokens.Generic;
  return tokens ? tokens.map(plainText).join('') : String(text);
}

/** GitHub's rule: lower case, no punctuation, hyphens for spaces, a number for a repetition. */
function addAnchor(anchors: Set<string>, heading: string): void {
  const slug = heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '')
    .replaceAll(' ', '-');
  let anchor = slug;
  for (let count = 1; anchors.has(anchor); count += 1) {
    anchor = `${slug}-${count}`;
  }
  anchors.add(anchor);
}
