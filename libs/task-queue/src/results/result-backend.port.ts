import type { ResultRecord } from '../brokers/broker.port.js';

/**
 * The ResultBackend port: where the results of tasks are kept. Texts go in and texts come out;
 * `task-meta.codec.ts` writes and reads them.
 *
 * Every backend passes `test/conformance/result-backend.conformance.ts` unchanged. The first of
 * SUCCESS, FAILURE and REVOKED under an id is final: nothing overwrites it.
 */
export interface ResultBackend {
  /** For the banner and for errors; never a password. */
  readonly description: string;
  /**
   * Whether this is the broker's own store. Then the worker hands the record to
   * `broker.finish()`, which stores it together with the acknowledgement, and the store itself
   * wakes who waits. Otherwise the record is stored here first and announced through the broker.
   */
  readonly inBroker: boolean;
  /**
   * Stores a record.
   *
   * @returns `false` when a final state was there already: nothing was changed.
   */
  store(record: ResultRecord): Promise<boolean>;
  /** The text stored under `id`, or `undefined`. */
  get(id: string): Promise<string | undefined>;
  /** In the order of `ids`. */
  getMany(ids: readonly string[]): Promise<(string | undefined)[]>;
  /** Removes the result of `id`; a no-op when there is none. */
  forget(id: string): Promise<void>;
  /**
   * Stores the text of a group result.
   *
   * @param ttl - How long it is kept, milliseconds; `null` for ever.
   */
  saveGroup(id: string, payload: string, ttl: number | null): Promise<void>;
  restoreGroup(id: string): Promise<string | undefined>;
  deleteGroup(id: string): Promise<void>;
  /** Gives up what this backend opened itself. */
  close(): Promise<void>;
}
