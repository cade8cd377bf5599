import { celerySettings, DemoTasksModule } from '@app/demo-tasks';
import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { TaskQueueModule } from 'nestjs-celery';

/** What a worker process is made of: the settings, the task queue, and the tasks. */
@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, load: [celerySettings] }),
    TaskQueueModule.forRootAsync(),
    DemoTasksModule,
  ],
})
export class WorkerModule {}
