import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { runWorker, TaskQueueModule } from 'nestjs-celery';
import { FixtureTasks } from './fixture.tasks.js';

@Module({
  imports: [ConfigModule.forRoot({ isGlobal: true }), TaskQueueModule.forRootAsync()],
  providers: [FixtureTasks],
})
class WorkerModule {}

await runWorker(WorkerModule);
