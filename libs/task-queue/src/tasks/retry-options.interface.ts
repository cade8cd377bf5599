/** What `TaskContext.retry()` takes: Celery's `Task.retry`. Every option may be left out. */
export interface RetryOptions {
  /** Positional arguments of the next run. Default: those of this one, as they came. */
  readonly args?: readonly unknown[] | null;
  /** Keyword arguments of the next run. Default: those of this one, as they came. */
  readonly kwargs?: Readonly<Record<string, unknown>> | null;
  /**
   * The error that the task is retried for: shown in the log and in the state RETRY, and the
   * outcome of the task when no retry is left. Default: none; the outcome is then a
   * `MaxRetriesExceededError`.
   */
  readonly exc?: unknown;
  /**
   * `false` returns the `Retry` instead of throwing it, for what is to be done before the task
   * ends. Throw it then, or return: the task is retried either way. Should the task throw another
   * error instead, that is its outcome. Default: `true`.
   */
  readonly throw?: boolean | null;
  /** Not to run before this time: a `Date`, or ISO 8601 in a string (UTC without an offset). */
  readonly eta?: Date | string | null;
  /**
   * Seconds until the next run, or a duration such as `'15m'`. 0 and less: at once. Wins over
   * `eta`. Default, when there is no `eta`: the task's `defaultRetryDelay`.
   */
  readonly countdown?: number | string | null;
  /**
   * How often the task may be retried, counted from its first run; `Infinity`: without end.
   * Default, also for `null`: the task's `maxRetries`. Counts for the automatic retries of this
   * run as well.
   */
  readonly maxRetries?: number | null;
  /** The queue of the next run: 1 to 100 characters, no `:`. Default: the one it came from. */
  readonly queue?: string | null;
  /** 0 to 9, higher first. Default: that of this run. */
  readonly priority?: number | null;
  /** Seconds from now, a duration, a `Date`, or ISO 8601. Default: the time that was set before. */
  readonly expires?: number | string | Date | null;
  /** Laid over the headers of the call. Default: those of the call. */
  readonly headers?: Readonly<Record<string, unknown>> | null;
  /** A name to show in logs instead of the task's. */
  readonly shadow?: string | null;
  /** Whether the result is ignored. Default: as before. */
  readonly ignoreResult?: boolean | null;
  /** The positional arguments as logs show them: hide secrets here. */
  readonly argsRepr?: string | null;
  /** The keyword arguments as logs show them. */
  readonly kwargsRepr?: string | null;
}
