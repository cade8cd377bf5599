import type { ResultRecord } from '../brokers/broker.port.js';
import { OperationalError } from '../errors/task-queue.errors.js';
import type { ResultBackend } from './result-backend.port.js';
import { isReadyState } from './task-state.js';

/** What is used of the application's cache; `Cache` of `cache-manager` 7 has it. */
export interface ResultCache {
  get<T>(key: string): Promise<T | undefined | null>;
  /** @param ttl - Milliseconds; 0 for ever. */
  set(key: string, value: unknown, ttl?: number): Promise<unknown>;
  del(key: string): Promise<unknown>;
}

const META_PREFIX = 'celery-task-meta-';
const GROUP_PREFIX = 'celery-taskset-meta-';
const STATUS = /^\{\s*"status"\s*:\s*"([^"\\]*)"/;

/**
 * Keeps the results in the application's cache, `CACHE_MANAGER` of `@nestjs/cache-manager`:
 * `result_backend = 'cache'`. Celery's name: `django-cache`.
 *
 * The cache must be one that web processes and workers share (Redis, Memcached, a database): in
 * the default cache, which lives in the memory of one process, no other process sees a result.
 *
 * A cache has no way to compare and set. That the first final state wins is therefore certain
 * only among the calls of one process, which are made one after another for each id; when two
 * processes store two final states of one id within the same moment, the later one stays.
 */
export class CacheBackend implements ResultBackend {
  readonly description = 'cache';
  readonly inBroker = false;
  private readonly lastWrites = new Map<string, Promise<unknown>>();

  constructor(private readonly cache: ResultCache) {}

  async store(record: ResultRecord): Promise<boolean> {
    const key = META_PREFIX + record.id;
    return this.inTurn(key, async () => {
      const stored = await this.read(key);
      const status = stored === undefined ? undefined : STATUS.exec(stored)?.[1];
      if (status !== undefined && isReadyState(status)) {
        return false;
      }
      await this.write(key, record.payload, record.ttl);
      return true;
    });
  }

  get(id: string): Promise<string | undefined> {
    return this.read(META_PREFIX + id);
  }

  getMany(ids: readonly string[]): Promise<(string | undefined)[]> {
    return Promise.all(ids.map((id) => this.get(id)));
  }

  async forget(id: string): Promise<void> {
    const key = META_PREFIX + id;
    await this.inTurn(key, () => this.drop(key));
  }

  async saveGroup(id: string, payload: string, ttl: number | null): Promise<void> {
    await this.write(GROUP_PREFIX + id, payload, ttl);
  }

  restoreGroup(id: string): Promise<string | undefined> {
    return this.read(GROUP_PREFIX + id);
  }

  async deleteGroup(id: string): Promise<void> {
    await this.drop(GROUP_PREFIX + id);
  }

  /** The cache belongs to the application, which closes it. */
  async close(): Promise<void> {}

  private async read(key: string): Promise<string | undefined> {
    const value = await asked(() => this.cache.get<unknown>(key));
    return typeof value === 'string' ? value : undefined;
  }

  private async write(key: string, payload: string, ttl: number | null): Promise<void> {
    // 0 is "for ever" to cache-manager; nothing at all would be the cache's own default.
    await asked(() => this.cache.set(key, payload, ttl === null ? 0 : Math.max(1, ttl)));
  }

  private async drop(key: string): Promise<void> {
    await asked(() => this.cache.del(key));
  }

  /** Runs `work` once the writes of `key` that came before are through. */
  private inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.lastWrites.get(key);
    const turn = before === undefined ? work() : before.then(work, work);
    this.lastWrites.set(key, turn);
    const leave = (): void => {
      if (this.lastWrites.get(key) === turn) {
        this.lastWrites.delete(key);
      }
    };
    void turn.then(leave, leave);
    return turn;
  }
}

async function asked<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new OperationalError(
      'The cache that keeps the results refused the call. Check that the store behind ' +
        'CACHE_MANAGER is running, or choose another result_backend.',
      { cause },
    );
  }
}
