import { randomUUID } from 'node:crypto';
import {
  BadRequestException,
  ConflictException,
  GoneException,
  Injectable,
  NotFoundException,
} from '@nestjs/common';
import { type FileReport, ReportTasks } from '@app/demo-tasks';
import { TaskClient } from 'nestjs-celery';

import { mapLimited } from './map-limited.util.js';
import type { MarkdownFile } from './markdown-file.js';
import { hasEnded, type JobFile, type ReportJob, ReportJobStore } from './report-job.store.js';

/** Calls to the store at a time. */
const PARALLEL = 32;

/** Publishes one task per file, and gathers what becomes of them. */
@Injectable()
export class ReportsService {
  private readonly looking = new Map<ReportJob, Promise<void>>();

  constructor(
    private readonly tasks: TaskClient,
    private readonly jobs: ReportJobStore,
  ) {}

  /**
   * Publishes the tasks of a report. When it resolves, all of them are stored.
   *
   * @throws BadRequestException - There is no file.
   * @throws OperationalError - The broker is away. Tasks that were published run, but belong to
   * no report.
   */
  async start(source: string, markdownFiles: readonly MarkdownFile[]): Promise<ReportJob> {
    if (markdownFiles.length === 0) {
      throw new BadRequestException(
        `There is no Markdown in ${source}: the names of the files must end in .md or .markdown.`,
      );
    }
    const id = randomUUID();
    const files = await mapLimited(markdownFiles, PARALLEL, (file) => this.publish(id, file));
    const job: ReportJob = { id, createdAt: new Date(), source, files };
    this.jobs.add(job);
    return job;
  }

  /**
   * The job, as its tasks are now.
   *
   * @throws NotFoundException - There is no such job.
   * @throws OperationalError - The result store is away.
   */
  async look(id: string): Promise<ReportJob> {
    const job = this.jobs.get(id);
    // Several clients that ask at a time share one look.
    let look = this.looking.get(job);
    if (!look) {
      look = this.lookAt(job).finally(() => this.looking.delete(job));
      this.looking.set(job, look);
    }
    await look;
    return job;
  }

  /**
   * A file of a report as HTML.
   *
   * @throws NotFoundException - There is no such file.
   * @throws ConflictException - Its task has not ended, or has failed.
   * @throws GoneException - Its result was forgotten or has expired.
   */
  async html(id: string, index: number): Promise<string> {
    const file = this.jobs.get(id).files[index];
    if (!file) {
      throw new NotFoundException(`The report has no file ${index}: see GET /reports/${id}.`);
    }
    const result = this.tasks.result<FileReport>(file.taskId);
    const state = await result.state();
    if (state === 'SUCCESS') {
      return ((await result.info()) as FileReport).html;
    }
    if (file.facts) {
      throw new GoneException('The result of this file is not kept any more: make a new report.');
    }
    throw new ConflictException(
      `The task of this file is ${state}: see GET /tasks/${file.taskId}.`,
    );
  }

  private async publish(jobId: string, { markdown, name }: MarkdownFile): Promise<JobFile> {
    const { processFile } = this.tasks.of(ReportTasks);
    const { id } = await processFile.applyAsync([jobId, name, markdown], {
      // The text has no place in a log.
      argsRepr: `('${jobId}', ${JSON.stringify(name)}, <${markdown.length} characters>)`,
    });
    return { name, taskId: id, state: 'PENDING' };
  }

  private async lookAt(job: ReportJob): Promise<void> {
    const running = job.files.filter((file) => !hasEnded(file));
    await mapLimited(running, PARALLEL, async (file) => {
      const result = this.tasks.result<FileReport>(file.taskId);
      file.state = await result.state();
      if (file.state === 'SUCCESS') {
        const { headings, links, readingMinutes, title, words } =
          (await result.info()) as FileReport;
        file.facts = { title, words, links, headings, readingMinutes };
      } else if (file.state === 'FAILURE' || file.state === 'REVOKED') {
        const { message, name } = (await result.info()) as Error;
        file.error = { name, message };
      }
    });
  }
}
