import type { Type } from '@nestjs/common';

import type { TaskDefinition, TaskMetadataAccessor } from '../tasks/index.js';
import { TaskHandle } from './task.handle.js';
import type { MethodsOf, TaskArgs, TaskReturn } from './task-types.js';

/** The tasks of a provider, each as a handle under the name of its method. */
export type TaskHandles<T> = {
  readonly [K in MethodsOf<T>]: TaskHandle<TaskArgs<T[K]>, TaskReturn<T[K]>>;
};

const ASKED_OF_ANY = new Set([
  'then',
  'toJSON',
  'asymmetricMatch',
  'onModuleInit',
  'onModuleDestroy',
  'onApplicationBootstrap',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
]);

/**
 * Makes the handles of the tasks of `provider`, by what its decorators say: the class need not be
 * provided in this process. A method that is no task throws when it is asked for.
 *
 * @throws TypeError - `provider` is not a class, or has no task.
 */
export function taskHandlesOf<T>(
  provider: Type<T>,
  accessor: TaskMetadataAccessor,
  handleOf: (definition: TaskDefinition) => TaskHandle,
): TaskHandles<T> {
  if (typeof provider !== 'function') {
    throw new TypeError(
      `of() takes the class of the tasks, such as of(DemoTasks); given was ${String(provider)}. ` +
        'If it is undefined, two files import each other in a circle.',
    );
  }
  const handles = Object.create(null) as Record<string, TaskHandle>;
  for (const definition of accessor.describeTasks(provider)) {
    handles[definition.method] = handleOf(definition);
  }
  const names = Object.keys(handles);
  if (names.length === 0) {
    throw new TypeError(
      `The class ${provider.name} has no task: put @SharedTask() on the methods that are tasks.`,
    );
  }
  return new Proxy(Object.freeze(handles), {
    get(target, key): TaskHandle | undefined {
      const handle = typeof key === 'symbol' ? undefined : target[key];
      if (handle !== undefined || typeof key === 'symbol' || isAskedOfAny(key)) return handle;
      throw new TypeError(notATask(provider, key, names));
    },
  }) as unknown as TaskHandles<T>;
}

/** What the language and Nest ask of any object: an answer, not an error, is due. */
function isAskedOfAny(key: string): boolean {
  return key in Object.prototype || ASKED_OF_ANY.has(key);
}

function notATask(provider: Type, key: string, names: readonly string[]): string {
  const prototype = provider.prototype as Record<string, unknown>;
  const isMethod = typeof Object.getOwnPropertyDescriptor(prototype, key)?.value === 'function';
  return isMethod
    ? `${provider.name}.${key} is not a task: put @SharedTask() on the method.`
    : `${provider.name} has no task '${key}'. Its tasks are: ${names.join(', ')}.`;
}
