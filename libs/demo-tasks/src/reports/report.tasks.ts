import { Injectable } from '@nestjs/common';
import { SharedTask, TaskNamespace } from 'nestjs-celery';

import type { FileReport } from './file-report.interface.js';
import { readMarkdown } from './markdown.reader.js';

/** The real job of the sample: a report over Markdown files, one task per file. */
@Injectable()
@TaskNamespace('reports.tasks')
export class ReportTasks {
  /**
   * Renders one file and counts what is in it.
   *
   * @param jobId - The report that the file is part of.
   * @param name - The name of the file; comes back with the result.
   * @param markdown - The whole text.
   */
  @SharedTask({ description: 'Renders a Markdown file and counts words, links and headings.' })
  processFile(jobId: string, name: string, markdown: string): FileReport {
    return { jobId, name, ...readMarkdown(markdown) };
  }
}

declare module 'nestjs-celery' {
  interface TaskMap {
    'reports.tasks.processFile': ReportTasks['processFile'];
  }
}
