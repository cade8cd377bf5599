export type { RegisteredTask, TaskDefinition, TaskMethod } from './task-definition.interface.js';
export { TaskCtx } from './task-ctx.decorator.js';
export { getTaskContext, isTaskContext } from './task-execution-context.util.js';
export { TaskExplorer } from './task.explorer.js';
export { TaskInvoker } from './task.invoker.js';
export { TaskMetadataAccessor } from './task-metadata.accessor.js';
export { TaskNamespace } from './task-namespace.decorator.js';
export type { RetryOptions } from './retry-options.interface.js';
export { attemptTask } from './task.attempt.js';
export type {
  BoundTaskOptions,
  RetryDelay,
  RetryKwargs,
  SharedTaskOptions,
} from './task-options.interface.js';
export { TaskRegistry } from './task.registry.js';
export { TaskRequest } from './task-request.js';
export type { DeliveryInfo, MessageProperties, TaskRequestInit } from './task-request.js';
export {
  SHARED_TASK_METADATA,
  TASK_CONTEXT_TYPE,
  TASK_NAMESPACE_METADATA,
} from './task.constants.js';
export { createTaskContext, TaskContext } from './task.context.js';
export type { TaskContextControl, TaskContextInit, TaskServices } from './task.context.js';
export { SharedTask } from './shared-task.decorator.js';
export type { BoundTaskDecorator, TaskDecorator } from './shared-task.decorator.js';
