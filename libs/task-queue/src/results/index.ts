export { AsyncResult } from './async.result.js';
export type { AsyncResultOptions, GetOptions } from './async.result.js';
export { BrokerStoreBackend } from './broker-store.backend.js';
export { CacheBackend } from './cache.backend.js';
export type { ResultCache } from './cache.backend.js';
export { EagerResult } from './eager.result.js';
export { knownErrorClasses } from './error-classes.js';
export { RedisBackend } from './redis.backend.js';
export type { RedisResults } from './redis.backend.js';
export type { ResultBackend } from './result-backend.port.js';
export type { ResultServices, RevokeOptions } from './result-services.interface.js';
export { ResultRecorder } from './result.recorder.js';
export type {
  RecordedRequest,
  RecordedTaskOptions,
  RecorderSettings,
  RevokeReason,
  StartedBy,
} from './result.recorder.js';
export { ResultWaiter } from './result.waiter.js';
export type { WaitOptions } from './result.waiter.js';
export { childIds, decodeMeta, encodeMeta, isoWithOffset } from './task-meta.codec.js';
export type { ResultTuple, TaskMeta } from './task-meta.interface.js';
export { isExceptionState, isPropagateState, isReadyState } from './task-state.js';
export type { TaskState } from './task-state.js';
