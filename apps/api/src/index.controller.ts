import { Controller, Get, Header, UseFilters } from '@nestjs/common';
import { TaskClient } from 'nestjs-celery';

import { TaskQueueErrorFilter } from './filters/task-queue-error.filter.js';
import { INDEX_PAGE } from './index.page.js';

@Controller()
@UseFilters(TaskQueueErrorFilter)
export class IndexController {
  constructor(private readonly tasks: TaskClient) {}

  @Get()
  @Header('Content-Type', 'text/html; charset=utf-8')
  index(): string {
    return INDEX_PAGE;
  }

  /** 200 when the broker answers, else 503. */
  @Get('health')
  async health(): Promise<{ status: 'ok' }> {
    await this.tasks.ping();
    return { status: 'ok' };
  }
}
