import type { Provider } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  TaskClient,
  TaskQueueModule,
  type TaskQueueSettingsInput,
  TaskWorker,
} from 'nestjs-celery';

/** An application that calls tasks and runs them, for snippets that do not show one. */
export interface SnippetApp {
  readonly tasks: TaskClient;
  close(): Promise<void>;
}

/** Starts one on `memory://`. Snippets import it from `../app.js`, where readers do not see it. */
export async function startApp(
  providers: Provider[],
  settings: TaskQueueSettingsInput = {},
): Promise<SnippetApp> {
  @Module({
    imports: [TaskQueueModule.forRoot({ brokerUrl: 'memory://', ...settings })],
    providers,
  })
  class SnippetModule {}
  const app = await NestFactory.createApplicationContext(SnippetModule, {
    logger: false,
    abortOnError: false,
  });
  await app.get(TaskWorker).start();
  return { tasks: app.get(TaskClient), close: () => app.close() };
}
