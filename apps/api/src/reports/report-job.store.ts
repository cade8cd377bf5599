import type { MarkdownFacts } from '@app/demo-tasks';
import { Injectable, NotFoundException } from '@nestjs/common';

/** A file of a job. */
export interface JobFile {
  readonly name: string;
  readonly taskId: string;
  /** The state of its task when it was last looked at. */
  state: string;
  /** Once the task has succeeded. */
  facts?: MarkdownFacts;
  /** Once the task has failed or was revoked. */
  error?: { readonly name: string; readonly message: string };
}

/** A report that was asked for. */
export interface ReportJob {
  readonly id: string;
  readonly createdAt: Date;
  /** Where the files come from, for people. */
  readonly source: string;
  readonly files: readonly JobFile[];
}

/** Whether what became of the file is known. */
export function hasEnded(file: JobFile): boolean {
  return file.facts !== undefined || file.error !== undefined;
}

const KEPT_JOBS = 100;

/**
 * Which tasks belong to which report. Kept in the memory of this process, and only the last 100:
 * after a restart the tasks still run, and their results can be read under `GET /tasks/:id`.
 */
@Injectable()
export class ReportJobStore {
  private readonly jobs = new Map<string, ReportJob>();

  add(job: ReportJob): void {
    this.jobs.set(job.id, job);
    if (this.jobs.size > KEPT_JOBS) {
      const [oldest] = this.jobs.keys();
      this.jobs.delete(oldest!);
    }
  }

  /** @throws NotFoundException - There is no such job, or not any more. */
  get(id: string): ReportJob {
    const job = this.jobs.get(id);
    if (!job) {
      throw new NotFoundException(
        `There is no report ${JSON.stringify(id.slice(0, 80))}: this process keeps the last ` +
          `${KEPT_JOBS}. Ask for it again with POST /reports.`,
      );
    }
    return job;
  }
}
