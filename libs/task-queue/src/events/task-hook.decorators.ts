import type { TaskContext } from '../tasks/index.js';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { TASK_HOOK_METADATA } from './events.constants.js';
import { addMethodMetadata, assertListenerMethod, type AnyMethod } from './method-place.util.js';
import type { RunState } from './signal-events.interface.js';

/** What a hook is called with after the `TaskContext`, by the kind of hook. */
export interface TaskHookArguments {
  readonly beforeStart: [self: TaskContext];
  readonly onSuccess: [self: TaskContext, result: any];
  readonly onFailure: [self: TaskContext, error: any];
  readonly onRetry: [self: TaskContext, error: any, retryAt: Date | null];
  readonly afterReturn: [self: TaskContext, state: RunState, result: any];
}

/** The kinds of hooks: Celery's task handlers. */
export type TaskHookKind = keyof TaskHookArguments;

/** What a hook's decorator says. */
export interface TaskHookDeclaration {
  readonly kind: TaskHookKind;
  /** The methods of the class whose tasks it is a hook of; empty: all of them. */
  readonly methods: readonly string[];
  /** The name of the decorator, for messages: `@OnFailure`. */
  readonly decorator: string;
}

/** The class has the methods that are named. */
type Has<K extends string> = { readonly [P in K]: AnyMethod };

/** Decorates a method of a class that has the named tasks. */
export type TaskHookDecorator<K extends string, H extends TaskHookKind> = <
  M extends (...args: TaskHookArguments[H]) => unknown,
>(
  target: Has<K>,
  key: string,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

/**
 * Makes hooks of methods of the class that has the tasks: `@OnFailure('send')` is called for the
 * task of the method `send`, `@OnFailure()` for every task of the class, those of subclasses
 * included. A hook may be async; what hooks return is not used. The hooks and the signals of a
 * run follow each other in Celery's order, and a hook is over before the next begins; a hook that
 * never ends holds back the later ones of its own run, and nothing else.
 */
type TaskHookDecoratorFactory<H extends TaskHookKind> = <K extends string = never>(
  ...methods: K[]
) => TaskHookDecorator<K, H>;

/**
 * `(self)`: called before the task's method, as a part of the run. The run waits for it, and what
 * it throws is the outcome of the task. Celery's `before_start`.
 */
export const BeforeStart = taskHook('beforeStart', 'BeforeStart');

/**
 * `(self, result)`: called when SUCCESS is recorded. What it throws is logged. Celery's
 * `on_success`.
 */
export const OnSuccess = taskHook('onSuccess', 'OnSuccess');

/**
 * `(self, error)`: called when FAILURE is recorded, not when the task is retried. What it throws
 * is logged. Celery's `on_failure`.
 *
 * @example
 * ```ts
 * @SharedTask()
 * send(to: string): Promise<void> { ... }
 *
 * @OnFailure('send')
 * sendFailed(self: TaskContext, error: Error): void { self.logger.error(error.message); }
 * ```
 */
export const OnFailure = taskHook('onFailure', 'OnFailure');

/**
 * `(self, error, retryAt)`: called when the task is put back to run again; `error` is `null` when
 * it was not retried for an error, `retryAt` is `null` when it runs again at once. What it throws
 * is logged. Celery's `on_retry`.
 */
export const OnRetry = taskHook('onRetry', 'OnRetry');

/**
 * `(self, state, result)`: called after `@OnSuccess` and `@OnFailure`, with what the task returned
 * or threw; not for a retry, `Ignore` or `Reject`. What it throws is logged. Celery's
 * `after_return`.
 */
export const AfterReturn = taskHook('afterReturn', 'AfterReturn');

function taskHook<H extends TaskHookKind>(kind: H, name: string): TaskHookDecoratorFactory<H> {
  return (...methods) =>
    (target, key, descriptor) => {
      const place = assertListenerMethod(name, target, key, descriptor);
      if (methods.some((method: unknown) => typeof method !== 'string' || method === '')) {
        throw new ImproperlyConfigured(
          `@${name} on ${place} takes the names of methods that are tasks, such as ` +
            `@${name}('send'), or nothing: then it is a hook of every task of the class.`,
        );
      }
      addMethodMetadata(
        TASK_HOOK_METADATA,
        descriptor.value!,
        Object.freeze({ kind, methods: Object.freeze([...methods]), decorator: `@${name}` }),
      );
    };
}
