/** A task on its way from a client to a worker, decoded. */
export interface TaskMessage {
  readonly args: readonly unknown[];
  readonly headers: TaskHeaders;
  /** The id of the task; also the id of the job in the store. */
  readonly id: string;
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** The registered name of the task; also the name of the job in the store. */
  readonly task: string;
}

/**
 * What travels with the arguments, in Celery's names and shapes. Absent and `null` mean the
 * default, which is never put on the wire.
 */
export interface TaskHeaders {
  /** The positional arguments as shown in logs and events, redacted. Celery cuts at 1,024. */
  readonly argsrepr?: string | null;
  /** How the arguments are encoded. Default `application/json`. */
  readonly content_type?: string | null;
  /** Not to run before: ISO-8601; without an offset it is UTC. Default: at once. */
  readonly eta?: string | null;
  /** Not to run after: ISO-8601; without an offset it is UTC. Default: never. */
  readonly expires?: string | null;
  /** The id of the group that the task is a member of. */
  readonly group?: string | null;
  /** The position in that group, from 0. */
  readonly group_index?: number | null;
  /** The headers given by the user. */
  readonly headers?: Readonly<Record<string, unknown>> | null;
  /** Whether the result is not stored. Default `false`. */
  readonly ignore_result?: boolean | null;
  /** The keyword arguments as shown in logs and events, redacted. */
  readonly kwargsrepr?: string | null;
  /** The language of the publisher. Default `js`. */
  readonly lang?: string | null;
  /** Who published: `<process>@<host>`. */
  readonly origin?: string | null;
  /** The id of the task that published this one. */
  readonly parent_id?: string | null;
  /** 0 to 9, higher first. Default 0. */
  readonly priority?: number | null;
  /** How often `replace()` was used on the way here. Default 0. */
  readonly replaced_task_nesting?: number | null;
  /** 0 on the first run, one more on each retry. Default 0. */
  readonly retries?: number | null;
  /** The id of the first task of the whole. Default: the task's own id. */
  readonly root_id?: string | null;
  /** A name to show in logs instead of the task's. */
  readonly shadow?: string | null;
  /** The names of the stamps. */
  readonly stamped_headers?: readonly string[] | null;
  readonly stamps?: Readonly<Record<string, unknown>> | null;
  /** `[hard, soft]` time limits in seconds; `null` where the task's own limit holds. */
  readonly timelimit?: readonly [number | null, number | null] | null;
}
