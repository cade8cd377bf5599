import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { BROKER, type Broker, TaskClient, TaskQueueModule, TaskWorker } from 'nestjs-celery';
import type { TaskQueueSettingsInput, WorkerOptions } from 'nestjs-celery';
import { FixtureTasks } from '../worker-app/src/fixture.tasks.js';

/** An application that calls the fixture tasks and runs them itself. */
export interface InProcessApp {
  readonly tasks: TaskClient;
  readonly broker: Broker;
  readonly worker: TaskWorker;
  close(): Promise<void>;
}

/** Boots the application and starts its worker. */
export async function openInProcess(
  settings: TaskQueueSettingsInput,
  options: WorkerOptions = {},
): Promise<InProcessApp> {
  @Module({ imports: [TaskQueueModule.forRoot(settings)], providers: [FixtureTasks] })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, {
    logger: ['fatal'],
    abortOnError: false,
  });
  const worker = app.get(TaskWorker);
  try {
    await worker.start({ logLevel: 'critical', ...options });
  } catch (error) {
    await app.close();
    throw error;
  }
  return {
    tasks: app.get(TaskClient),
    broker: app.get<Broker>(BROKER),
    worker,
    close: () => app.close(),
  };
}
