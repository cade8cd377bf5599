export { runWorker } from './run-worker.js';
export type { RunWorkerOptions } from './run-worker.js';
export { TaskWorker } from './task.worker.js';
export type { TaskWorkerDeps } from './task.worker.js';
export type { WorkerLogLevel, WorkerOptions } from './worker-options.js';
