export { BROKER, CLOCK, RESULT_BACKEND } from './task-queue.tokens.js';
export { TaskQueueModule } from './task-queue.module.js';
export type { TaskQueueAsyncOptions, TaskQueueOptionsFactory } from './task-queue.options.js';
export * from './client/index.js';
export { MemoryStore } from './brokers/memory/index.js';
export type { Broker } from './brokers/index.js';
export type { Clock, Timer } from './clock/index.js';
export {
  AfterReturn,
  BeforeStart,
  OnAfterTaskPublish,
  OnBeforeTaskPublish,
  OnFailure,
  OnRetry,
  OnSuccess,
  OnTaskFailure,
  OnTaskPostrun,
  OnTaskPrerun,
  OnTaskReceived,
  OnTaskRejected,
  OnTaskRetry,
  OnTaskRevoked,
  OnTaskSuccess,
  OnTaskUnknown,
  OnWorkerInit,
  OnWorkerReady,
  OnWorkerShutdown,
  OnWorkerShuttingDown,
  TaskSignals,
} from './events/index.js';
export type {
  AfterTaskPublishEvent,
  BeforeTaskPublishEvent,
  ConnectOptions,
  RunState,
  SignalEvents,
  SignalListener,
  SignalName,
  SignalOptions,
  TaskFailureEvent,
  TaskFilter,
  TaskPostrunEvent,
  TaskPrerunEvent,
  TaskReceivedEvent,
  TaskRejectedEvent,
  TaskRetryEvent,
  TaskRevokedEvent,
  TaskSuccessEvent,
  TaskUnknownEvent,
  WorkerInitEvent,
  WorkerReadyEvent,
  WorkerShutdownEvent,
  WorkerShuttingDownEvent,
} from './events/index.js';
export * from './errors/task-queue.errors.js';
export { AsyncResult, EagerResult } from './results/index.js';
export type {
  AsyncResultOptions,
  GetOptions,
  ResultBackend,
  ResultCache,
  RevokeOptions,
  RevokeReason,
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
  RetryDelay,
  RetryKwargs,
  RetryOptions,
  SharedTaskOptions,
  TaskDefinition,
} from './tasks/index.js';
export { runWorker, TaskWorker } from './worker/index.js';
export type { RunWorkerOptions, WorkerLogLevel, WorkerOptions } from './worker/index.js';
export { VERSION } from './version.js';
