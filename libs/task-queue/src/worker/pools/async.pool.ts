import type { Pool, PoolJob } from './pool.port.js';

/** How many tasks run at a time unless `worker_concurrency` says otherwise. */
export const DEFAULT_ASYNC_CONCURRENCY = 10;

/**
 * Runs tasks in the worker's own process, many at a time: right for tasks that wait for I/O.
 * The nearest of Celery's pools is `gevent`.
 */
export class AsyncPool implements Pool {
  readonly name = 'async';

  constructor(readonly size: number) {}

  run({ task, context, args, kwargs }: PoolJob): Promise<unknown> {
    return task.invoke(context, args, kwargs);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
