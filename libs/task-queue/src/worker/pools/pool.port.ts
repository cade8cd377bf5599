import type { RegisteredTask, TaskContext } from '../../tasks/index.js';

/** One run of a task. */
export interface PoolJob {
  readonly task: RegisteredTask;
  readonly context: TaskContext;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** The runner's end of the context: aborts `context.signal`. Without it `abort` does nothing. */
  readonly abort?: (reason: unknown) => void;
  /**
   * Called when the task begins to run, which is later than `run` when it has to wait for a free
   * child; `pid` is the id of the process or thread that runs it. Must not throw.
   */
  readonly started?: (pid: number) => void;
}

/** Which runs are meant: those of a task's id, or the one run that has this context. */
export type RunKey = string | TaskContext;

/** How far a pool can end a task that runs too long. */
export interface LimitSupport {
  /** It can abort `self.signal`. */
  readonly soft: boolean;
  /** It can end a task that waits, and free its slot. */
  readonly hard: boolean;
  /** It can also end one that blocks its event loop. */
  readonly blocked: boolean;
}

/** What a pool says of itself; Celery's `inspect stats`, field `pool`. */
export interface PoolStats {
  /** The name of the pool. */
  readonly implementation: string;
  /** How many tasks may run at a time. */
  readonly maxConcurrency: number;
  /** Tasks after which a child is replaced; `null` for never, and where there are no children. */
  readonly maxTasksPerChild: number | null;
  /** The ids of the processes or threads that run tasks. */
  readonly processes: readonly number[];
  readonly running: number;
  /** Runs that wait for a free child. */
  readonly waiting: number;
  /** Tasks that were ended by `kill` and go on nevertheless: they cannot be stopped. */
  readonly abandoned: number;
  /** Children that died or were killed while they ran a task. */
  readonly lost: number;
  /** Children that were replaced because of `max_tasks_per_child` or `max_memory_per_child`. */
  readonly recycled: number;
}

export interface PoolCloseOptions {
  /** How long tasks that still run may take to end, milliseconds. Default 0. */
  readonly deadline?: number;
}

/** The Pool port: where tasks run. */
export interface Pool {
  /** Celery's name of the pool, for the banner. */
  readonly name: string;
  /** How many tasks run at a time. */
  readonly size: number;
  readonly limits: LimitSupport;
  /**
   * Makes the pool ready; to be awaited before the first `run`.
   *
   * @throws OperationalError when a child cannot be started; none is left running then.
   */
  start(): Promise<void>;
  /**
   * Runs a task; resolves with what it returned, rejects with what it threw. A job beyond `size`
   * waits for its turn where the pool has children.
   *
   * Rejects with `ChildLostError` when the process or thread of the task died.
   */
  run(job: PoolJob): Promise<unknown>;
  /** Aborts `self.signal` of a run, with `reason`. A no-op when there is no such run. */
  abort(run: RunKey, reason: unknown): void;
  /**
   * Ends a run at once: it rejects with `error`. Its child is killed and replaced; a task in the
   * worker's own process goes on, and is counted as abandoned. A no-op when there is no such run.
   */
  kill(run: RunKey, error: Error): void;
  /** Takes `n` more tasks at a time, and returns the new size. @throws ImproperlyConfigured */
  grow(n?: number): number;
  /**
   * Takes `n` tasks less at a time, but at least one, and returns the new size. Running tasks
   * end first. @throws ImproperlyConfigured
   */
  shrink(n?: number): number;
  stats(): PoolStats;
  /** Ends the pool; tasks that still run after the deadline are ended as by a lost worker. */
  close(options?: PoolCloseOptions): Promise<void>;
}
