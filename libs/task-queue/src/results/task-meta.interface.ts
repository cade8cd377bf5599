import type { TaskState } from './task-state.js';

/**
 * A child as Celery writes it: `[[id, parent], null]` for a task, and `[[id, parent], [children]]`
 * for a group.
 */
export type ResultTuple = readonly [
  readonly [id: string, parent: ResultTuple | null],
  readonly ResultTuple[] | null,
];

/** What is stored about a task: Celery's result JSON, with Celery's names. */
export interface TaskMeta {
  readonly status: TaskState;
  /**
   * SUCCESS: the returned value. FAILURE, REVOKED, RETRY: `{ exc_type, exc_message, exc_module }`.
   * STARTED: `{ pid, hostname }`. Any other state: what the task gave to `updateState`.
   */
  readonly result: unknown;
  /** The stack of a failure. */
  readonly traceback: string | null;
  readonly children: readonly ResultTuple[];
  /** When the task ended: ISO 8601 with the offset, in UTC. `null` while it has not. */
  readonly date_done: string | null;
  readonly task_id: string;
  readonly group_id?: string;
  readonly parent_id?: string;
  /** This and the fields below: only with `result_extended`. */
  readonly name?: string;
  readonly args?: readonly unknown[];
  readonly kwargs?: Readonly<Record<string, unknown>>;
  readonly worker?: string;
  readonly retries?: number;
  readonly queue?: string;
}
