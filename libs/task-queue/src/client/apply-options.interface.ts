/** How a publish is tried again when the broker cannot be reached. Celery's `retry_policy`. */
export interface RetryPolicy {
  /** Retries after the first attempt; `null`: until `task_publish_timeout` is over. Default 3. */
  readonly maxRetries: number | null;
  /** Seconds before the first retry. Default 0. */
  readonly intervalStart: number;
  /** Seconds by which the pause grows with each retry. Default 0.2. */
  readonly intervalStep: number;
  /** The longest pause, seconds. Default 1. */
  readonly intervalMax: number;
}

/**
 * How one call of a task differs from the usual. An option given here wins over the same option
 * of the task, which wins over that of the route, which wins over the setting. `undefined` and
 * `null` leave the decision to these.
 *
 * An option that is wrong, or unknown, throws a TypeError at the call.
 */
export interface ApplyOptions {
  /**
   * Not to run before so many seconds from now, or a duration such as `'15m'`. 0 and less: at
   * once. Wins over `eta`. Default: at once.
   */
  readonly countdown?: number | string | null;
  /**
   * Not to run before this time: a `Date`, or ISO 8601 in a string (UTC without an offset). A
   * time in the past: at once.
   */
  readonly eta?: Date | string | null;
  /**
   * Not to run after so many seconds from now, a duration such as `'15m'`, a `Date`, or ISO 8601
   * in a string: a task that has not begun by then ends REVOKED (`expired`). One in the past
   * gives a warning, and the task is published and ends so at once. Default: never.
   */
  readonly expires?: number | string | Date | null;
  /** The queue: 1 to 100 characters, no `:`. Default: of the task, the route, the settings. */
  readonly queue?: string | null;
  /** Hard time limit of this call: seconds or a duration. Default: of the task, the setting. */
  readonly timeLimit?: number | string | null;
  /** Soft time limit of this call. @throws TypeError when it is above the hard one of the call. */
  readonly softTimeLimit?: number | string | null;
  /**
   * Priority, an integer from 0 to 9, higher first. Default: of the task, the route, with
   * `task_inherit_parent_priority` of the running task, then `task_default_priority`, then 0.
   */
  readonly priority?: number | null;
  /**
   * The id of the task: 1 to 200 bytes, no `:`, not an integer. A second task with the id of one
   * that still waits or runs changes nothing. Default: a UUID of version 7.
   */
  readonly taskId?: string | null;
  /** Headers of your own, for `self.request.headers`: an object of plain JSON. */
  readonly headers?: Readonly<Record<string, unknown>> | null;
  /** `true` stores no result; the handle's `get()` then resolves with `null` at once. */
  readonly ignoreResult?: boolean | null;
  /** Try again when the broker cannot be reached. Default: `task_publish_retry`. */
  readonly retry?: boolean | null;
  /** What differs from `task_publish_retry_policy`. */
  readonly retryPolicy?: Partial<RetryPolicy> | null;
  /** How the arguments are encoded: the name of a codec. Default: `task_serializer`. */
  readonly serializer?: string | null;
  /** A name to show in logs instead of the task's. */
  readonly shadow?: string | null;
  /** The positional arguments as logs show them: hide secrets here. Celery's `argsrepr`. */
  readonly argsRepr?: string | null;
  /** The keyword arguments as logs show them. Celery's `kwargsrepr`. */
  readonly kwargsRepr?: string | null;
  /** The first task of the whole. Default: that of the running task, else the task itself. */
  readonly rootId?: string | null;
  /** The task that publishes this one. Default: the running task. */
  readonly parentId?: string | null;
  /**
   * Keyword arguments: unless empty, they reach the method as one object after the positional
   * arguments.
   */
  readonly kwargs?: Readonly<Record<string, unknown>> | null;
}

/** Options of `sendTask`. */
export interface SendTaskOptions extends ApplyOptions {
  /** The positional arguments. Default: none. */
  readonly args?: readonly unknown[] | null;
}

/** Options of `apply`, which runs the task here and now. */
export interface EagerOptions extends ApplyOptions {
  /** Throw the error of the task out of the call. Default: `task_eager_propagates`. */
  readonly throw?: boolean | null;
}
