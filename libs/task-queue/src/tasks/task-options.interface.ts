import type { ErrorClass } from '../messages/error-classes.js';
import type { TaskRequest } from './task-request.js';

/**
 * Says for one error whether and when a task is retried: seconds from now, or a point in time
 * (the past and below 0: at once); `false`: not at all; `undefined`: as the other options say.
 */
export type RetryDelay = (
  error: unknown,
  /** How often the task was retried before: 0 in the first run. */
  retries: number,
  request: TaskRequest,
) => number | Date | false | undefined;

/** What automatic retries pass to `retry()`. */
export interface RetryKwargs {
  /** In place of `maxRetries`, an integer from 0. */
  readonly maxRetries?: number;
  /** In place of `defaultRetryDelay`: seconds, or a duration such as `'15m'`. */
  readonly countdown?: number | string;
}

/**
 * What `@SharedTask` takes: Celery's task attributes, in camelCase. Every option may be left out.
 * An option given at the call wins over these, and these win over the settings.
 */
export interface SharedTaskOptions {
  /**
   * The name under which the task is published and run; producer and worker must agree on it.
   * 1 to 200 letters, digits, `_`, `.`, `-`, `$`. Celery's `name`.
   *
   * Default: `<namespace>.<method>`, where the namespace is the one of `@TaskNamespace`, else
   * the name of the class.
   */
  readonly name?: string;

  /**
   * Passes the `TaskContext` as the first argument. The method's first parameter must then be
   * a `TaskContext`; the compiler checks it. Celery's `bind`.
   *
   * Default: `false`.
   */
  readonly bind?: boolean;

  /**
   * Whether the number of arguments is checked at the call, so that a wrong one throws there
   * and not in the worker. Celery's `typing`.
   *
   * Default: `true`.
   */
  readonly typing?: boolean;

  /**
   * `true` stores neither the return value nor the states of the task; its result handle stays
   * PENDING. Celery's `ignore_result`.
   *
   * Default: the setting `task_ignore_result`.
   */
  readonly ignoreResult?: boolean;

  /**
   * `true` stores a failure although the result is ignored. Without effect when the result is
   * not ignored. Celery's `store_errors_even_if_ignored`.
   *
   * Default: the setting `task_store_errors_even_if_ignored`.
   */
  readonly storeErrorsEvenIfIgnored?: boolean;

  /**
   * `true` stores the state STARTED when the task begins to run: one more write per task.
   * Celery's `track_started`.
   *
   * Default: the setting `task_track_started`.
   */
  readonly trackStarted?: boolean;

  /**
   * The queue that the task is published into. Celery's `queue`.
   *
   * Default: the first of `task_routes` that matches, else the setting `task_default_queue`.
   */
  readonly queue?: string;

  /**
   * Seconds from the publishing until the task expires, or a duration such as `'90s'`, `'15m'`,
   * `'2h'`. A task that has not begun to run by then ends REVOKED (`expired`). Must be more
   * than 0. Celery's `expires`.
   *
   * Default: the task never expires.
   */
  readonly expires?: number | string;

  /**
   * Name of the codec of the arguments. `'json'` is the only one. Celery's `serializer`.
   *
   * Default: the setting `task_serializer`.
   */
  readonly serializer?: 'json';

  /**
   * Errors that belong to the normal course of the task: the state is FAILURE as for any other
   * error, but the worker logs one line at level info, without a stack. Such an error is also
   * rebuilt as an instance of its class by `get()`. Celery's `throws`.
   *
   * Default: none.
   */
  readonly throws?: readonly ErrorClass[];

  /**
   * Hard time limit: seconds, or a duration such as `'90s'`; a task that runs longer ends FAILURE
   * `TimeLimitExceeded`. `null` or 0: none. Celery's `time_limit`.
   *
   * Default: the setting `task_time_limit`.
   */
  readonly timeLimit?: number | string | null;

  /**
   * Soft time limit, below the hard one: `self.signal` is aborted with `SoftTimeLimitExceeded`,
   * and the task may clean up. Celery's `soft_time_limit`.
   *
   * Default: the setting `task_soft_time_limit`.
   */
  readonly softTimeLimit?: number | string | null;

  /**
   * Priority of the task, an integer from 0 to 9, higher first. Celery's `priority`.
   *
   * Default: the route, with `task_inherit_parent_priority` that of the running task, then the
   * setting `task_default_priority`, then 0.
   */
  readonly priority?: number;

  /**
   * How often a task may be retried: 3 means four runs at most. 0: never; `null`: without end.
   * `retry({ maxRetries })` goes before. Celery's `max_retries`.
   *
   * Default: 3.
   */
  readonly maxRetries?: number | null;

  /**
   * Seconds between a run and its retry when nothing else is said, or a duration such as `'3m'`.
   * 0: at once. Celery's `default_retry_delay`.
   *
   * Default: 180.
   */
  readonly defaultRetryDelay?: number | string;

  /**
   * Errors that the task is retried for by itself, as if it called `retry({ exc })`; `[Error]`
   * for all. When no retry is left the error itself is the outcome. `Ignore`, `Reject` and
   * `Retry` are never among them. Celery's `autoretry_for`.
   *
   * Default: none.
   */
  readonly autoretryFor?: readonly ErrorClass[];

  /** Exceptions to `autoretryFor` and to `retryDelay`. Celery's `dont_autoretry_for`. Default: none. */
  readonly dontAutoretryFor?: readonly ErrorClass[];

  /** What automatic retries pass to `retry()`. Celery's `retry_kwargs`. Default: nothing. */
  readonly retryKwargs?: RetryKwargs;

  /**
   * Lets the delay of automatic retries double with each: `retryBackoff * 2 ** retries` seconds.
   * Whole seconds from 1; `true` is 1; `false` and 0: no backoff. Celery's `retry_backoff`.
   *
   * Default: `false`: `retryKwargs.countdown`, else `defaultRetryDelay`.
   */
  readonly retryBackoff?: boolean | number;

  /** The longest delay of a backoff, whole seconds from 0. Celery's `retry_backoff_max`. Default: 600. */
  readonly retryBackoffMax?: number;

  /**
   * Draws the delay of a backoff: a random whole number of seconds from 0 to the one computed
   * ("full jitter"), so that many tasks do not come back together. Celery's `retry_jitter`.
   *
   * Default: `true`.
   */
  readonly retryJitter?: boolean;

  /**
   * Decides per error whether and when the task is retried, before `autoretryFor` and
   * `retryBackoff` are asked: for an API that sends Retry-After, or errors told apart by a field.
   * `maxRetries` holds. When it throws, the task is not retried. Celery has nothing of the kind.
   *
   * Default: none.
   *
   * @example
   * ```ts
   * retryDelay: (error) => (error instanceof TooManyRequests ? error.retryAfter : undefined)
   * ```
   */
  readonly retryDelay?: RetryDelay;

  /**
   * `true`: the task is acknowledged when its outcome is recorded, and run again when its worker
   * is lost: at least once. `false`: as if before it runs, at most once: after a lost worker it
   * ends FAILURE `WorkerLostError`. Celery's `acks_late`.
   *
   * Default: the setting `task_acks_late`, which is `true`.
   */
  readonly acksLate?: boolean;

  /**
   * `false`: a task that is acknowledged late is not run again when its worker is lost, and ends
   * FAILURE `WorkerLostError`. Celery's `reject_on_worker_lost`.
   *
   * Default: the setting `task_reject_on_worker_lost`, else as `acksLate`.
   */
  readonly rejectOnWorkerLost?: boolean;

  /**
   * `false`: a task that is acknowledged late and fails is put back and run again, at once, up to
   * `task_max_redeliveries` times; then it ends FAILURE, and is kept in the dead-letter list.
   * Celery's `acks_on_failure`.
   *
   * Default: the setting `task_acks_on_failure`, else `task_acks_on_failure_or_timeout`, which is
   * `true`.
   */
  readonly acksOnFailure?: boolean;

  /**
   * The same for a task that exceeds its hard time limit. Celery's `acks_on_timeout`.
   *
   * Default: the setting `task_acks_on_timeout`, else `task_acks_on_failure_or_timeout`.
   */
  readonly acksOnTimeout?: boolean;

  /** What the task is for, in a line or two, for tools that list tasks. Default: none. */
  readonly description?: string;
}

/** Options of a task whose method takes the `TaskContext` first. */
export type BoundTaskOptions = SharedTaskOptions & { readonly bind: true };
