import { celerySettings, DemoTasksModule } from '@app/demo-tasks';
import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { TaskQueueModule } from 'nestjs-celery';

import { IndexController } from './index.controller.js';
import { FolderReader } from './reports/folder.reader.js';
import { ReportJobStore } from './reports/report-job.store.js';
import { ReportsController } from './reports/reports.controller.js';
import { ReportsService } from './reports/reports.service.js';
import { TasksController } from './tasks/tasks.controller.js';

/** The web application: it publishes tasks and reads results, and runs no task itself. */
@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, load: [celerySettings] }),
    TaskQueueModule.forRootAsync(),
    DemoTasksModule,
  ],
  controllers: [IndexController, TasksController, ReportsController],
  providers: [FolderReader, ReportJobStore, ReportsService],
})
export class ApiModule {}
