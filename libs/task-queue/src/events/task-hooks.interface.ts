import type { RevokeReason } from '../results/index.js';
import type { TaskContext, TaskRequest } from '../tasks/index.js';
import type { RunState } from './signal-events.interface.js';

/** What is known of a task whose message cannot be read, or was not. */
export interface TaskIdentity {
  readonly id: string;
  /** The name of the task; empty when it is not known. */
  readonly task: string;
}

/** What a retry is for. */
export interface RetryDetails {
  /** The error that the task is retried for, or `null`. */
  readonly error: unknown;
  /** The line of the log: `Retry in 3s: ValueError('boom')`. */
  readonly reason: string;
  /** When the task runs again, milliseconds since the epoch, or `null`: at once. */
  readonly retryAt: number | null;
}

/**
 * What a runner tells of its tasks. The order is Celery's:
 *
 * ```
 * received -> prerun -> beforeStart -> (the task) -> success | failure | retry -> postrun
 *                                                    (Ignore)                  -> postrun
 *                                                    rejected, revoked         -> postrun
 * ```
 *
 * What tells of an outcome is called when the outcome is recorded, and not at all when it could
 * not be. Only `beforeStart` may fail: nothing else here throws, and async listeners and hooks
 * are not waited for.
 */
export interface TaskHooks {
  /** A worker took a task that it can run. */
  received(request: TaskRequest): void;

  /** The task is about to run. */
  prerun(context: TaskContext): void;

  /**
   * The first part of the run itself: what it rejects with is what the task has thrown.
   *
   * @returns `undefined` when the task has no such hook, so that it costs nothing.
   */
  beforeStart(context: TaskContext): Promise<void> | undefined;

  /** SUCCESS is recorded. @param runtime - Seconds. */
  success(context: TaskContext, value: unknown, runtime: number): void;

  /** FAILURE is recorded: by an error of the task, or because it was lost too often. */
  failure(context: TaskContext, error: unknown): void;

  /** The retry is stored. */
  retry(context: TaskContext, retry: RetryDetails): void;

  /** The task ended REVOKED. With its `context`, when it ran, `postrun` follows. */
  revoked(request: TaskRequest | TaskIdentity, reason: RevokeReason): void;

  /** No task of that name is known here. */
  unknown(name: string, id: string): void;

  /** The task threw `Reject`, or its message cannot be read. */
  rejected(request: TaskRequest | TaskIdentity, reason: string, requeue: boolean): void;

  /** The run is over. @param value - What the task returned or threw. */
  postrun(context: TaskContext, state: RunState, value: unknown): void;
}

/** Tells nobody. */
export const NO_TASK_HOOKS: TaskHooks = Object.freeze({
  received: () => {},
  prerun: () => {},
  beforeStart: () => undefined,
  success: () => {},
  failure: () => {},
  retry: () => {},
  revoked: () => {},
  unknown: () => {},
  rejected: () => {},
  postrun: () => {},
});
