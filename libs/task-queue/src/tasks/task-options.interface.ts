import type { ErrorClass } from '../messages/error-classes.js';

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

  /** What the task is for, in a line or two, for tools that list tasks. Default: none. */
  readonly description?: string;
}

/** Options of a task whose method takes the `TaskContext` first. */
export type BoundTaskOptions = SharedTaskOptions & { readonly bind: true };
