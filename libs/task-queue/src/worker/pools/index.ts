export { AsyncPool, DEFAULT_ASYNC_CONCURRENCY } from './async.pool.js';
export { ChildLostError } from './child-lost.error.js';
export { runPoolChild } from './child.loop.js';
export type { ChildMain } from './child-process.slot.js';
export type { ChildPoolOptions } from './child.pool.js';
export { createPool, defaultConcurrency, POOL_NAMES } from './create-pool.js';
export type { PoolName } from './create-pool.js';
export { findParentPort } from './parent.port.js';
export type {
  LimitSupport,
  Pool,
  PoolCloseOptions,
  PoolJob,
  PoolStats,
  RunKey,
} from './pool.port.js';
export { PreforkPool } from './prefork.pool.js';
export { SoloPool } from './solo.pool.js';
export { ThreadsPool } from './threads.pool.js';
