import type { MarkdownFacts, ReportTotals } from './file-report.interface.js';
import { readingMinutes } from './word.counter.js';

/** Sums up files. The reading time is that of all words, not the sum of rounded times. */
export function totalsOf(files: readonly MarkdownFacts[]): ReportTotals {
  const sum = (field: 'words' | 'links' | 'headings'): number =>
    files.reduce((total, file) => total + file[field], 0);
  const words = sum('words');
  return {
    files: files.length,
    words,
    links: sum('links'),
    headings: sum('headings'),
    readingMinutes: readingMinutes(words),
  };
}
