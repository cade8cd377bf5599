import { SetMetadata } from '@nestjs/common';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import type { TaskContext } from './task.context.js';
import { SHARED_TASK_METADATA } from './task.constants.js';
import type { BoundTaskOptions, SharedTaskOptions } from './task-options.interface.js';
import { checkTaskOptions } from './task-options.validator.js';

type AnyMethod = (...args: any[]) => unknown;

/** A method without parameters has no place for the context, though it could be called so. */
type TakesContext<T extends AnyMethod> = Parameters<T> extends [] ? never : unknown;

/** Decorates any method. */
export type TaskDecorator = <T extends AnyMethod>(
  target: object,
  key: string,
  descriptor: TypedPropertyDescriptor<T>,
) => void;

/** Decorates a method whose first parameter is a `TaskContext`. */
export type BoundTaskDecorator = <T extends (self: TaskContext, ...args: any[]) => unknown>(
  target: object,
  key: string,
  descriptor: TypedPropertyDescriptor<T> & TakesContext<T>,
) => void;

/**
 * Makes a task of a method: it can be published by its name and run by a worker. Celery's
 * `@shared_task` and `@app.task`.
 *
 * The method may return a value, a promise or an Observable (its last value counts). It stays
 * a plain method: calling it directly runs it here and now, without a worker. A subclass
 * inherits the tasks of its ancestors; a method that it overrides is a task only when the
 * override is decorated too.
 *
 * Positional arguments are passed in order; keyword arguments, when there are any, as one
 * object after them: `build(id: number, options?: { pdf: boolean })` takes `args: [7]`,
 * `kwargs: { pdf: true }`. Parameters with a parameter decorator (`@TaskCtx()`, or one made
 * with `createParamDecorator`) take no argument; the others take the arguments in order.
 *
 * @param options - See `SharedTaskOptions`. Default: none.
 * @throws ImproperlyConfigured at decoration, when an option is unknown, is not part of this
 * version or has a wrong value, and when the target is not an instance method.
 *
 * @example
 * ```ts
 * @SharedTask()
 * add(x: number, y: number): number { return x + y; }
 *
 * @SharedTask({ bind: true, ignoreResult: true })
 * debugTask(self: TaskContext): void { self.logger.log(`Request: ${inspect(self.request)}`); }
 * ```
 */
export function SharedTask(options: BoundTaskOptions): BoundTaskDecorator;
export function SharedTask(options?: SharedTaskOptions): TaskDecorator;
export function SharedTask(options: SharedTaskOptions = {}): TaskDecorator {
  return (target: object, key: string | symbol, descriptor?: PropertyDescriptor) => {
    const place = describePlace(target, key);
    assertInstanceMethod(target, key, descriptor, place);
    SetMetadata(SHARED_TASK_METADATA, checkTaskOptions(options, place))(target, key, descriptor);
  };
}

function describePlace(target: object, key: string | symbol): string {
  const owner = typeof target === 'function' ? target : target.constructor;
  return `${owner.name || 'an unnamed class'}.${String(key)}`;
}

function assertInstanceMethod(
  target: object,
  key: string | symbol,
  descriptor: PropertyDescriptor | undefined,
  place: string,
): asserts descriptor is PropertyDescriptor {
  const found =
    typeof target === 'function'
      ? 'a static method'
      : typeof key === 'symbol'
        ? 'a method with a symbol for its name'
        : typeof descriptor?.value !== 'function'
          ? 'a property or an accessor'
          : undefined;
  if (found) {
    throw new ImproperlyConfigured(
      `@SharedTask cannot make a task of ${place}, which is ${found}. ` +
        'Put it on an ordinary method of a provider.',
    );
  }
}
