import { availableParallelism } from 'node:os';
import { AsyncPool, DEFAULT_ASYNC_CONCURRENCY } from './async.pool.js';
import type { ChildPoolOptions } from './child.pool.js';
import type { Pool } from './pool.port.js';
import { PreforkPool } from './prefork.pool.js';
import { SoloPool } from './solo.pool.js';
import { ThreadsPool } from './threads.pool.js';

/** The pools, as `-P` takes them. */
export const POOL_NAMES = ['async', 'prefork', 'threads', 'solo'] as const;
export type PoolName = (typeof POOL_NAMES)[number];

/** How many tasks a pool runs at a time unless `worker_concurrency` says otherwise. */
export function defaultConcurrency(pool: PoolName): number {
  switch (pool) {
    case 'async':
      return DEFAULT_ASYNC_CONCURRENCY;
    case 'solo':
      return 1;
    default:
      return availableParallelism();
  }
}

/** Makes a pool, which is to be started; `solo` takes no notice of the size. */
export function createPool(pool: PoolName, options: ChildPoolOptions): Pool {
  return MAKERS[pool](options);
}

const MAKERS: Readonly<Record<PoolName, (options: ChildPoolOptions) => Pool>> = {
  async: ({ size }) => new AsyncPool(size),
  prefork: (options) => new PreforkPool(options),
  threads: (options) => new ThreadsPool(options),
  solo: () => new SoloPool(),
};
