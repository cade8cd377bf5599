import { Marked, type Token, type Tokens } from 'marked';

import type { MarkdownFacts } from './file-report.interface.js';
import { countWords, readingMinutes } from './word.counter.js';

/**
 * How many cells the tables of one text may have. A short row of a wide table is filled up with
 * empty cells, so that a few kilobytes of hostile text could fill the memory of the worker.
 */
export const MAX_TABLE_CELLS = 500_000;

const ENTITY = /&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z][a-z\d]{1,31});/gi;

/**
 * Renders GitHub-flavoured Markdown and counts what is in it.
 *
 * Links are Markdown links and bare addresses; images, and links inside HTML, are not counted.
 *
 * @throws RangeError - The text could hold more than `MAX_TABLE_CELLS` cells of tables.
 */
export function readMarkdown(markdown: string): MarkdownFacts & { readonly html: string } {
  refuseHugeTables(markdown);
  const marked = new Marked({ gfm: true });
  const tokens = marked.lexer(markdown);
  const headings: string[] = [];
  let links = 0;
  void marked.walkTokens(tokens, (token) => {
    if (token.type === 'link') links += 1;
    if (token.type === 'heading') headings.push(visibleText(token.tokens ?? []).trim());
  });
  const words = countWords(visibleText(tokens));
  return {
    title: headings[0] ?? null,
    words,
    links,
    headings: headings.length,
    readingMinutes: readingMinutes(words),
    html: marked.parser(tokens),
  };
}

function refuseHugeTables(markdown: string): void {
  let cells = 0;
  let rows = 0;
  let widest = 0;
  for (const line of markdown.split(/\r\n|\n|\r/)) {
    if (line.trim() === '') {
      cells += rows * widest;
      rows = 0;
      widest = 0;
      continue;
    }
    rows += 1;
    widest = Math.max(widest, line.split('|').length - 1);
  }
  if (cells + rows * widest > MAX_TABLE_CELLS) {
    throw new RangeError(
      `The tables of this text could have more than ${MAX_TABLE_CELLS} cells: split the text, or ` +
        'separate its tables with blank lines.',
    );
  }
}

/** The text that a reader sees; each block ends with a line break. */
function visibleText(tokens: readonly Token[]): string {
  return tokens.map(textOf).join('');
}

function textOf(token: Token): string {
  switch (token.type) {
    case 'code':
    case 'def':
    case 'hr':
    case 'checkbox':
      return '';
    // A tag may be all that stands between two words.
    case 'html':
    case 'br':
    case 'image':
      return ' ';
    case 'space':
      return '\n';
    case 'table': {
      const { header, rows } = token as Tokens.Table;
      return [header, ...rows]
        .flat()
        .map((cell) => `${visibleText(cell.tokens)}\n`)
        .join('');
    }
    case 'list':
      return visibleText((token as Tokens.List).items);
    case 'paragraph':
    case 'heading':
    case 'list_item':
    case 'blockquote':
      return `${childText(token)}\n`;
    default:
      return childText(token);
  }
}

function childText(token: Token): string {
  const { text, tokens } = token as Tokens.Generic;
  return tokens ? visibleText(tokens) : String(text ?? '').replace(ENTITY, ' ');
}
