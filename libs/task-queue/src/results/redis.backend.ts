import type { ResultStore } from '../brokers/broker.port.js';
import { ResultStoreBackend } from './result-store.backend.js';

/** An opened store of results on a Redis of its own. */
export interface RedisResults {
  /** For the banner and for errors; never a password. */
  readonly description: string;
  readonly results: ResultStore;
  close(): Promise<void>;
}

/**
 * Keeps the results on another Redis, or in another database of it, than the broker:
 * `result_backend = 'redis://host:6379/1'`. The keys and the JSON are Celery's.
 */
export class RedisBackend extends ResultStoreBackend {
  readonly inBroker = false;
  readonly description: string;

  constructor(private readonly redis: RedisResults) {
    super(redis.results);
    this.description = redis.description;
  }

  close(): Promise<void> {
    return this.redis.close();
  }
}
