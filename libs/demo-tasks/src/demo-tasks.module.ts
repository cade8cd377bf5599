import { Module } from '@nestjs/common';

import { DebugTasks } from './demoapp/debug.tasks.js';
import { DemoTasks } from './demoapp/demo.tasks.js';
import { ReportTasks } from './reports/report.tasks.js';

/**
 * The tasks of the sample. The worker imports it to run them; the web application imports it to
 * list them and to check calls by name.
 */
@Module({
  providers: [DebugTasks, DemoTasks, ReportTasks],
})
export class DemoTasksModule {}
