import { type MarkdownFacts, type ReportTotals, totalsOf } from '@app/demo-tasks';

import { hasEnded, type JobFile, type ReportJob } from './report-job.store.js';

export interface ReportLinks {
  readonly progress: string;
  readonly report: string;
}

/** How far a report is. */
export interface ProgressView {
  readonly reportId: string;
  readonly source: string;
  readonly createdAt: Date;
  /** Files. */
  readonly total: number;
  /** Files whose tasks have ended, the failed ones included. */
  readonly done: number;
  readonly failed: number;
  /** 100 only when all have ended. */
  readonly percent: number;
  readonly files: readonly { name: string; state: string; taskId: string; urls: FileUrls }[];
  readonly links: ReportLinks;
}

/** A report whose files have all ended. */
export interface ReportView {
  readonly reportId: string;
  readonly source: string;
  readonly createdAt: Date;
  readonly files: readonly (MarkdownFacts & { name: string; urls: FileUrls })[];
  readonly failures: readonly { name: string; error: JobFile['error']; urls: FileUrls }[];
  readonly totals: ReportTotals;
}

interface FileUrls {
  readonly task: string;
  readonly html: string;
}

export function reportLinks(id: string): ReportLinks {
  return { progress: `/reports/${id}`, report: `/reports/${id}/report` };
}

export function viewProgress({ createdAt, files, id, source }: ReportJob): ProgressView {
  const done = files.filter(hasEnded).length;
  return {
    reportId: id,
    source,
    createdAt,
    total: files.length,
    done,
    failed: files.filter(({ error }) => error).length,
    percent: Math.floor((100 * done) / files.length),
    files: files.map(({ name, state, taskId }, index) => ({
      name,
      state,
      taskId,
      urls: fileUrls(id, index, taskId),
    })),
    links: reportLinks(id),
  };
}

export function viewReport({ createdAt, files, id, source }: ReportJob): ReportView {
  const rows = files.map((file, index) => ({ file, urls: fileUrls(id, index, file.taskId) }));
  const read = rows.flatMap(({ file: { facts, name }, urls }) =>
    facts ? [{ name, ...facts, urls }] : [],
  );
  return {
    reportId: id,
    source,
    createdAt,
    files: read,
    failures: rows.flatMap(({ file: { error, name }, urls }) =>
      error ? [{ name, error, urls }] : [],
    ),
    totals: totalsOf(read),
  };
}

function fileUrls(id: string, index: number, taskId: string): FileUrls {
  return { task: `/tasks/${taskId}`, html: `/reports/${id}/files/${index}` };
}
