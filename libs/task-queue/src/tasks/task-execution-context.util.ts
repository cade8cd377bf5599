import type { ArgumentsHost } from '@nestjs/common';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { TASK_CONTEXT_TYPE } from './task.constants.js';
import type { TaskContext } from './task.context.js';

/**
 * Whether a guard, interceptor, pipe or filter is running for a task. Global ones
 * (`APP_GUARD`, `useGlobalFilters`, ...) run for tasks too, where there is no HTTP request:
 * ask this first. Takes an `ExecutionContext` as well as an `ArgumentsHost`.
 */
export function isTaskContext(host: ArgumentsHost): boolean {
  return host.getType<string>() === TASK_CONTEXT_TYPE;
}

/**
 * The task that a guard, interceptor or filter is running for. `host.getArgs()` gives it too:
 * `[context, ...arguments]`.
 *
 * @throws ImproperlyConfigured when it is not running for a task.
 */
export function getTaskContext(host: ArgumentsHost): TaskContext {
  if (!isTaskContext(host)) {
    throw new ImproperlyConfigured(
      `getTaskContext() was called for a host of the type '${host.getType<string>()}', which is ` +
        'not a task. Ask isTaskContext(host) first.',
    );
  }
  return host.getArgByIndex<TaskContext>(0);
}
