import { assertSlots } from './pool-counts.js';
import type {
  LimitSupport,
  Pool,
  PoolCloseOptions,
  PoolJob,
  PoolStats,
  RunKey,
} from './pool.port.js';
import { RunTable } from './run.table.js';

/** How many tasks run at a time unless `worker_concurrency` says otherwise. */
export const DEFAULT_ASYNC_CONCURRENCY = 10;

interface AsyncRun {
  readonly job: PoolJob;
  readonly reject: (error: unknown) => void;
}

/**
 * Runs tasks in the worker's own process, many at a time: right for tasks that wait for I/O.
 * The nearest of Celery's pools is `gevent`.
 *
 * JavaScript cannot stop a function that is running: `kill` aborts the task's signal, lets go of
 * it and counts it as abandoned until it ends by itself.
 */
export class AsyncPool implements Pool {
  readonly name: string = 'async';
  readonly limits: LimitSupport = { soft: true, hard: true, blocked: false };
  private readonly runs = new RunTable<AsyncRun>();
  private abandoned = 0;
  private slots: number;

  /** @throws ImproperlyConfigured when the size is not a whole number of at least 1. */
  constructor(size: number) {
    assertSlots(size);
    this.slots = size;
  }

  get size(): number {
    return this.slots;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  run(job: PoolJob): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const run = { job, reject };
      this.runs.add(run);
      job.started?.(process.pid);
      job.task.invoke(job.context, job.args, job.kwargs).then(
        (value) => this.settled(run) && resolve(value),
        (error: unknown) => this.settled(run) && reject(error),
      );
    });
  }

  abort(key: RunKey, reason: unknown): void {
    this.runs.find(key).forEach(({ job }) => job.abort?.(reason));
  }

  kill(key: RunKey, error: Error): void {
    this.runs.find(key).forEach((run) => this.abandon(run, error));
  }

  grow(n = 1): number {
    assertSlots(n);
    this.slots += n;
    return this.slots;
  }

  shrink(n = 1): number {
    assertSlots(n);
    this.slots = Math.max(1, this.slots - n);
    return this.slots;
  }

  stats(): PoolStats {
    return {
      implementation: this.name,
      maxConcurrency: this.slots,
      maxTasksPerChild: null,
      processes: [process.pid],
      running: this.runs.size,
      waiting: 0,
      abandoned: this.abandoned,
      lost: 0,
      recycled: 0,
    };
  }

  /** Nothing to end: what still runs was handed back, and goes on until the process ends. */
  close(_options?: PoolCloseOptions): Promise<void> {
    return Promise.resolve();
  }

  private abandon(run: AsyncRun, error: Error): void {
    if (this.runs.remove(run)) {
      this.abandoned += 1;
      // What listens to the signal can end soon, though nobody waits for it any more.
      run.job.abort?.(error);
      run.reject(error);
    }
  }

  /** Whether the end of the run still counts. */
  private settled(run: AsyncRun): boolean {
    if (this.runs.remove(run)) {
      return true;
    }
    this.abandoned -= 1;
    return false;
  }
}
