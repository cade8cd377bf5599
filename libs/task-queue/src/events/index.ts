export { ListenerExplorer } from './listener.explorer.js';
export { NO_PUBLISH_HOOKS } from './publish-hooks.interface.js';
export type { PublishedCall, PublishHooks } from './publish-hooks.interface.js';
export {
  OnAfterTaskPublish,
  OnBeforeTaskPublish,
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
} from './signal.decorators.js';
export type { SignalDecorator, SignalOptions } from './signal.decorators.js';
export type {
  AfterTaskPublishEvent,
  BeforeTaskPublishEvent,
  RunState,
  SignalEvents,
  SignalFields,
  SignalName,
  TaskFailureEvent,
  TaskPostrunEvent,
  TaskPrerunEvent,
  TaskReceivedEvent,
  TaskRejectedEvent,
  TaskRetryEvent,
  TaskRevokedEvent,
  TaskSignalName,
  TaskSuccessEvent,
  TaskUnknownEvent,
  WorkerInitEvent,
  WorkerReadyEvent,
  WorkerShutdownEvent,
  WorkerShuttingDownEvent,
} from './signal-events.interface.js';
export { SignallingPublishHooks } from './signalling.publish-hooks.js';
export { SignallingTaskHooks } from './signalling.task-hooks.js';
export type { TaskFilter } from './task.filter.js';
export { AfterReturn, BeforeStart, OnFailure, OnRetry, OnSuccess } from './task-hook.decorators.js';
export type { TaskHookDecorator } from './task-hook.decorators.js';
export { TaskHookRegistry } from './task-hook.registry.js';
export { NO_TASK_HOOKS } from './task-hooks.interface.js';
export type { RetryDetails, TaskHooks, TaskIdentity } from './task-hooks.interface.js';
export { TaskSignals } from './task.signals.js';
export type { ConnectOptions, SignalListener } from './task.signals.js';
