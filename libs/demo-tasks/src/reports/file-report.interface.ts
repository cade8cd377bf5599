/** What is counted in one Markdown text. */
export interface MarkdownFacts {
  /** The text of the first heading, or `null` without one. */
  readonly title: string | null;
  /** Words that a reader sees: no code blocks, no HTML tags, no link targets. */
  readonly words: number;
  readonly links: number;
  readonly headings: number;
  /** Whole minutes at 220 words per minute, rounded up; 0 only without words. */
  readonly readingMinutes: number;
}

/** What `reports.tasks.processFile` returns. */
export interface FileReport extends MarkdownFacts {
  readonly jobId: string;
  /** The name of the file, with its folders. */
  readonly name: string;
  /** The text as HTML. HTML in the Markdown is passed on as it is: show it in a sandbox only. */
  readonly html: string;
}

/** The sums over the files of a report. */
export interface ReportTotals extends Omit<MarkdownFacts, 'title'> {
  readonly files: number;
}
