import type { RevokeAnswer, TaskLocation } from '../brokers/broker.port.js';
import type { ErrorClass } from '../messages/index.js';
import type { ResultBackend } from './result-backend.port.js';
import type { ResultWaiter } from './result.waiter.js';

/** What `AsyncResult.revoke` takes. */
export interface RevokeOptions {
  /**
   * Also ends the task when it runs: its child is killed in the pools `prefork` and `threads`; in
   * `async` and `solo` it is left to itself. Default `false`: a running task is told through
   * `self.signal`, and its own outcome stands.
   */
  readonly terminate?: boolean;
}

/** What the handles of results work with: one object per client. */
export interface ResultServices {
  readonly backend: ResultBackend;
  readonly waiter: Pick<ResultWaiter, 'wait' | 'subscribe'>;
  /** Where a task is that has not ended; `broker.locate`. */
  locate(id: string): Promise<TaskLocation | undefined>;
  revoke(id: string, options: RevokeOptions): Promise<RevokeAnswer>;
  /** The classes that `get()` may rebuild; `knownErrorClasses()` makes it. */
  errorClasses(): ReadonlyMap<string, ErrorClass>;
  /** Whether the caller runs inside a task. */
  insideTask(): boolean;
  /** Told of what a callback of `onMessage` throws, and of a watch that broke. */
  warn(message: string): void;
}
