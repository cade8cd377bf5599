export { BROKER, CLOCK, RESULT_BACKEND } from './task-queue.tokens.js';
export { TaskQueueModule } from './task-queue.module.js';
export type { TaskQueueAsyncOptions, TaskQueueOptionsFactory } from './task-queue.options.js';
export * from './client/index.js';
export { MemoryStore } from './brokers/memory/index.js';
export type { Broker } from './brokers/index.js';
export type { Clock, Timer } from './clock/index.js';
export * from './errors/task-queue.errors.js';
export { AsyncResult, EagerResult } from './results/index.js';
export type {
  AsyncResultOptions,
  GetOptions,
  ResultBackend,
  ResultCache,
  TaskMeta,
  TaskState,
} from './results/index.js';
export { TASK_QUEUE_SETTINGS } from './settings/settings.token.js';
export type { TaskQueueSettings, TaskQueueSettingsInput } from './settings/index.js';
export {
  getTaskContext,
  isTaskContext,
  SharedTask,
  TaskContext,
  TaskCtx,
  TaskNamespace,
  TaskRegistry,
  TaskRequest,
} from './tasks/index.js';
export type {
  BoundTaskOptions,
  RegisteredTask,
  SharedTaskOptions,
  TaskDefinition,
} from './tasks/index.js';
export { runWorker, TaskWorker } from './worker/index.js';
export type { RunWorkerOptions, WorkerLogLevel, WorkerOptions } from './worker/index.js';
export { VERSION } from './version.js';
