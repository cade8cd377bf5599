import type { RegisteredTask, TaskContext } from '../../tasks/index.js';

/** One run of a task. */
export interface PoolJob {
  readonly task: RegisteredTask;
  readonly context: TaskContext;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
}

/** The Pool port: where tasks run. */
export interface Pool {
  /** Celery's name of the pool, for the banner. */
  readonly name: string;
  /** How many tasks run at a time. */
  readonly size: number;
  /** Runs a task; resolves with what it returned, rejects with what it threw. */
  run(job: PoolJob): Promise<unknown>;
  close(): Promise<void>;
}
