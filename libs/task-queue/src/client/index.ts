// With a star, so that an application can merge its names into the interface.
export * from './task-map.interface.js';
export type {
  ApplyOptions,
  EagerOptions,
  RetryPolicy,
  SendTaskOptions,
} from './apply-options.interface.js';
export type { ClientSettings } from './client-settings.interface.js';
export { TASK_CLIENT_DEPS, TaskClient } from './task.client.js';
export type { TaskClientDeps } from './task.client.js';
export { TaskHandle } from './task.handle.js';
export type { ApplyParameters, ApplyWithKwargs } from './task.handle.js';
export type { TaskHandles } from './task.proxy.js';
export { TaskPublisher } from './task.publisher.js';
export type { Publication, PublisherSettings } from './task.publisher.js';
export type { ArgsOf, ReturnOf, TaskArgs, TaskName, TaskReturn } from './task-types.js';
