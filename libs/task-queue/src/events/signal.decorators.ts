import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { SIGNAL_METADATA } from './events.constants.js';
import { addMethodMetadata, assertListenerMethod, type AnyMethod } from './method-place.util.js';
import type { SignalEvents, SignalName, TaskSignalName } from './signal-events.interface.js';
import { assertTaskFilter, type TaskFilter } from './task.filter.js';

/** What a listener's decorator says. */
export interface SignalSubscription {
  readonly signal: SignalName;
  /** Default: all tasks. */
  readonly task?: TaskFilter;
  /** The name of the decorator, for messages: `@OnTaskFailure`. */
  readonly decorator: string;
}

/** Which events a listener is told of. */
export interface SignalOptions<T = any> {
  /** See `TaskFilter`. Default: all tasks. */
  readonly task?: TaskFilter<T>;
}

/**
 * Makes a listener of a method of a provider; the method takes the event, or nothing. It may be
 * async, and one method may listen to several signals. It cannot break a task: what it throws is
 * logged. Only the listeners of `beforeTaskPublish` (5 seconds at most), `workerInit` and
 * `workerShutdown` are waited for at once; the end of a worker waits for the rest. A subclass inherits the listeners of its
 * ancestors; a method that it overrides is one only when the override is decorated too. A
 * provider that is request-scoped or transient is refused at start.
 *
 * @throws ImproperlyConfigured at decoration, when an option is wrong or the target is not an
 * instance method.
 */
export type SignalDecorator<E> = <M extends (event: E) => unknown>(
  target: object,
  key: string,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

/** Makes the decorators of a signal about tasks. */
type TaskSignalDecoratorFactory<N extends TaskSignalName> = <T>(
  options?: SignalOptions<T>,
) => SignalDecorator<SignalEvents[N]>;

/** Listens to `beforeTaskPublish`. Celery's `before_task_publish`. See `SignalEvents`. */
export const OnBeforeTaskPublish = taskSignal('beforeTaskPublish');

/** Listens to `afterTaskPublish`. Celery's `after_task_publish`. See `SignalEvents`. */
export const OnAfterTaskPublish = taskSignal('afterTaskPublish');

/** Listens to `taskReceived`. Celery's `task_received`. See `SignalEvents`. */
export const OnTaskReceived = taskSignal('taskReceived');

/** Listens to `taskPrerun`. Celery's `task_prerun`. See `SignalEvents`. */
export const OnTaskPrerun = taskSignal('taskPrerun');

/** Listens to `taskPostrun`. Celery's `task_postrun`. See `SignalEvents`. */
export const OnTaskPostrun = taskSignal('taskPostrun');

/** Listens to `taskSuccess`. Celery's `task_success`. See `SignalEvents`. */
export const OnTaskSuccess = taskSignal('taskSuccess');

/**
 * Listens to `taskFailure`: tasks of any provider. For the failures of a class's own tasks there
 * is also `@OnFailure`. Celery's `task_failure`. See `SignalEvents`.
 *
 * @example
 * ```ts
 * @OnTaskFailure({ task: 'mail.*' })
 * async report({ error, request }: TaskFailureEvent): Promise<void> { ... }
 * ```
 */
export const OnTaskFailure = taskSignal('taskFailure');

/** Listens to `taskRetry`. Celery's `task_retry`. See `SignalEvents`. */
export const OnTaskRetry = taskSignal('taskRetry');

/** Listens to `taskRevoked`. Celery's `task_revoked`. See `SignalEvents`. */
export const OnTaskRevoked = taskSignal('taskRevoked');

/** Listens to `taskUnknown`. Celery's `task_unknown`. See `SignalEvents`. */
export const OnTaskUnknown = taskSignal('taskUnknown');

/** Listens to `taskRejected`. Celery's `task_rejected`. See `SignalEvents`. */
export const OnTaskRejected = taskSignal('taskRejected');

/** Listens to `workerInit`. Celery's `worker_init`. See `SignalEvents`. */
export const OnWorkerInit = workerSignal('workerInit');

/** Listens to `workerReady`. Celery's `worker_ready`. See `SignalEvents`. */
export const OnWorkerReady = workerSignal('workerReady');

/** Listens to `workerShuttingDown`. Celery's `worker_shutting_down`. See `SignalEvents`. */
export const OnWorkerShuttingDown = workerSignal('workerShuttingDown');

/** Listens to `workerShutdown`. Celery's `worker_shutdown`. See `SignalEvents`. */
export const OnWorkerShutdown = workerSignal('workerShutdown');

function taskSignal<N extends TaskSignalName>(signal: N): TaskSignalDecoratorFactory<N> {
  const name = decoratorOf(signal);
  return (options = {}) =>
    (target, key, descriptor) => {
      const place = assertListenerMethod(name, target, key, descriptor);
      const filter = readOptions(options, `@${name} on ${place}`);
      subscribe(descriptor.value!, { signal, ...filter, decorator: `@${name}` });
    };
}

function workerSignal<N extends Exclude<SignalName, TaskSignalName>>(
  signal: N,
): () => SignalDecorator<SignalEvents[N]> {
  const name = decoratorOf(signal);
  return () => (target, key, descriptor) => {
    assertListenerMethod(name, target, key, descriptor);
    subscribe(descriptor.value!, { signal, decorator: `@${name}` });
  };
}

function decoratorOf(signal: SignalName): string {
  return `On${signal.charAt(0).toUpperCase()}${signal.slice(1)}`;
}

function subscribe(method: AnyMethod, subscription: SignalSubscription): void {
  addMethodMetadata(SIGNAL_METADATA, method, Object.freeze(subscription));
}

function readOptions(options: unknown, place: string): SignalOptions {
  const isRecord = typeof options === 'object' && options !== null && !Array.isArray(options);
  const unknown = isRecord ? Object.keys(options).find((key) => key !== 'task') : undefined;
  if (!isRecord || unknown !== undefined) {
    throw new ImproperlyConfigured(
      `${place} takes { task } and nothing else, for example { task: 'demoapp.*' }. ` +
        (isRecord ? `Remove '${unknown}'.` : 'Put what you gave it into { task }.'),
    );
  }
  // Given as undefined it is a mistake, and must not come to mean every task.
  if (!('task' in options)) {
    return {};
  }
  assertTaskFilter(options.task, place);
  return { task: options.task };
}
