import type { RevokeReason } from '../results/index.js';
import type { TaskContext, TaskRequest } from '../tasks/index.js';

/**
 * What listeners are told, and when. Every event has `signal`, its own name, to tell events apart
 * where one method listens to several; every event about a task has `task`, its name, and `id`.
 * Celery's signals, with Celery's names in camelCase.
 *
 * | decorator                 | sent                                            | fields                                          |
 * |---------------------------|-------------------------------------------------|-------------------------------------------------|
 * | `@OnBeforeTaskPublish`    | before the message is made; waited for          | queue, args, kwargs, headers (may be changed), eta, expires |
 * | `@OnAfterTaskPublish`     | when the task is stored                         | queue, args, kwargs, headers, eta, expires      |
 * | `@OnTaskReceived`         | a worker took the task                          | request                                         |
 * | `@OnTaskPrerun`           | before it runs                                  | request, context                                |
 * | `@OnTaskSuccess`          | SUCCESS is recorded                             | request, context, result, runtime               |
 * | `@OnTaskFailure`          | FAILURE is recorded                             | request, context, error                         |
 * | `@OnTaskRetry`            | the retry is stored                             | request, context, error, reason, retryAt        |
 * | `@OnTaskPostrun`          | last of a run, whatever came of it              | request, context, state, result                 |
 * | `@OnTaskRevoked`          | it ended REVOKED                                | request, reason                                 |
 * | `@OnTaskUnknown`          | no task of that name is known to the worker     | -                                               |
 * | `@OnTaskRejected`         | it threw `Reject`, or cannot be read            | request, reason, requeue                        |
 * | `@OnWorkerInit`           | before a worker connects; waited for            | hostname, concurrency, queues                   |
 * | `@OnWorkerReady`          | the worker takes tasks                          | hostname, concurrency, queues                   |
 * | `@OnWorkerShuttingDown`   | the worker was asked to stop                    | hostname, concurrency, queues, how              |
 * | `@OnWorkerShutdown`       | the worker has ended its tasks; waited for      | hostname, concurrency, queues                   |
 */
export interface SignalEvents {
  readonly beforeTaskPublish: BeforeTaskPublishEvent;
  readonly afterTaskPublish: AfterTaskPublishEvent;
  readonly taskReceived: TaskReceivedEvent;
  readonly taskPrerun: TaskPrerunEvent;
  readonly taskSuccess: TaskSuccessEvent;
  readonly taskFailure: TaskFailureEvent;
  readonly taskRetry: TaskRetryEvent;
  readonly taskPostrun: TaskPostrunEvent;
  readonly taskRevoked: TaskRevokedEvent;
  readonly taskUnknown: TaskUnknownEvent;
  readonly taskRejected: TaskRejectedEvent;
  readonly workerInit: WorkerInitEvent;
  readonly workerReady: WorkerReadyEvent;
  readonly workerShuttingDown: WorkerShuttingDownEvent;
  readonly workerShutdown: WorkerShutdownEvent;
}

/** The name of a signal. */
export type SignalName = keyof SignalEvents;

/** The signals about a task, which can be filtered by it. */
export type TaskSignalName = {
  [N in SignalName]: SignalEvents[N] extends { readonly task: string } ? N : never;
}[SignalName];

/** What an event says besides the name of its signal. */
export type SignalFields<N extends SignalName> = Omit<SignalEvents[N], 'signal'>;

interface SignalEvent<N extends string> {
  /** The name of the signal. */
  readonly signal: N;
}

interface TaskSignalEvent<N extends string> extends SignalEvent<N> {
  /** The name of the task; empty when the message has none. */
  readonly task: string;
  /** The id of the task. */
  readonly id: string;
}

interface PublishEvent<N extends string> extends TaskSignalEvent<N> {
  readonly queue: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** The headers of the call: what the task finds in `self.headers`. */
  readonly headers: Readonly<Record<string, unknown>>;
  /** When the task is due, or `null`: at once. */
  readonly eta: Date | null;
  /** When the task expires, or `null`: never. */
  readonly expires: Date | null;
}

interface RunEvent<N extends string> extends TaskSignalEvent<N> {
  /** The message: arguments, retries, headers and the rest. */
  readonly request: TaskRequest;
  /** The run: what a bound task has as `self`. */
  readonly context: TaskContext;
}

/**
 * A task is about to be published: `delay`, `applyAsync`, `sendTask`. Not sent when a worker puts
 * a task back for a retry, and not for eager calls. A listener that publishes tasks is told of
 * those as well: filter by task. Celery's `before_task_publish`.
 */
export interface BeforeTaskPublishEvent extends PublishEvent<'beforeTaskPublish'> {
  /**
   * A copy of the headers of the call; add, change and delete as you like, at the top level. The
   * values must be such as JSON can carry: when they are not, the headers of the call are sent.
   */
  readonly headers: Record<string, unknown>;
}

/** A task is in the store. Celery's `after_task_publish`. */
export type AfterTaskPublishEvent = PublishEvent<'afterTaskPublish'>;

/** A worker took a task that it can run. Celery's `task_received`. */
export interface TaskReceivedEvent extends TaskSignalEvent<'taskReceived'> {
  readonly request: TaskRequest;
}

/** A task is about to run. Celery's `task_prerun`. */
export type TaskPrerunEvent = RunEvent<'taskPrerun'>;

/** A task succeeded, and its result is recorded. Celery's `task_success`. */
export interface TaskSuccessEvent extends RunEvent<'taskSuccess'> {
  /** What the task returned. */
  readonly result: unknown;
  /** How long it ran, seconds. */
  readonly runtime: number;
}

/** A task failed, for good, and its failure is recorded. Celery's `task_failure`. */
export interface TaskFailureEvent extends RunEvent<'taskFailure'> {
  /** What the task threw; anything can be thrown. */
  readonly error: unknown;
}

/** A task will run again. Celery's `task_retry`. */
export interface TaskRetryEvent extends RunEvent<'taskRetry'> {
  /** The error that it is retried for, or `null` when it was not retried for one. */
  readonly error: unknown;
  /** The line of the log: `Retry in 3s: ValueError('boom')`. */
  readonly reason: string;
  /** When it runs again, or `null`: at once. */
  readonly retryAt: Date | null;
}

/** How a run ended. IGNORED and REJECTED are Celery's words for a task that threw `Ignore` or `Reject`. */
export type RunState = 'SUCCESS' | 'FAILURE' | 'RETRY' | 'REVOKED' | 'IGNORED' | 'REJECTED';

/**
 * A run is over: last of its events. It is not sent when the outcome could not be recorded (a lost
 * lease, a cold shutdown): the task runs again elsewhere. Celery's `task_postrun`.
 */
export interface TaskPostrunEvent extends RunEvent<'taskPostrun'> {
  /** `FAILURE` also of a task that failed and is put back (`acksOnFailure: false`). */
  readonly state: RunState;
  /** What the task returned, or what it threw. */
  readonly result: unknown;
}

/** A task ended REVOKED. Celery's `task_revoked`. */
export interface TaskRevokedEvent extends TaskSignalEvent<'taskRevoked'> {
  /** The message, or `null` when the task ended without having been looked at. */
  readonly request: TaskRequest | null;
  readonly reason: RevokeReason;
}

/**
 * A worker came upon a task whose name it does not know, and put it back for another worker.
 * Celery's `task_unknown`.
 */
export type TaskUnknownEvent = TaskSignalEvent<'taskUnknown'>;

/** A task threw `Reject`, or its message cannot be read. Celery's `task_rejected`. */
export interface TaskRejectedEvent extends TaskSignalEvent<'taskRejected'> {
  /** The message, or `null` when it cannot be read. */
  readonly request: TaskRequest | null;
  readonly reason: string;
  /** Whether it goes back into its queue; else it is kept in the dead-letter list. */
  readonly requeue: boolean;
}

interface WorkerEvent<N extends string> extends SignalEvent<N> {
  /** The name of the node: `celery@host`. */
  readonly hostname: string;
  /** How many tasks run at a time. */
  readonly concurrency: number;
  readonly queues: readonly string[];
}

/** A worker is about to connect; it waits for the listeners. Celery's `worker_init`. */
export type WorkerInitEvent = WorkerEvent<'workerInit'>;

/** A worker takes tasks from now on. Celery's `worker_ready`. */
export type WorkerReadyEvent = WorkerEvent<'workerReady'>;

/** A worker takes no more tasks. Celery's `worker_shutting_down`. */
export interface WorkerShuttingDownEvent extends WorkerEvent<'workerShuttingDown'> {
  /** `warm`: what runs is finished. `cold`: it is handed back. */
  readonly how: 'warm' | 'cold';
}

/**
 * A worker has ended its tasks, and the listeners of these are over; it waits for the listeners.
 * Celery's `worker_shutdown`.
 */
export type WorkerShutdownEvent = WorkerEvent<'workerShutdown'>;
