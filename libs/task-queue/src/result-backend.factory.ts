import type { ModuleRef } from '@nestjs/core';
import { openRedisResults, type Broker, type BrokerOptions } from './brokers/index.js';
import { ImproperlyConfigured } from './errors/task-queue.errors.js';
import {
  BrokerStoreBackend,
  CacheBackend,
  RedisBackend,
  type ResultBackend,
  type ResultCache,
} from './results/index.js';
import { maskUrl, type TaskQueueSettings } from './settings/index.js';

/** The token that `@nestjs/cache-manager` gives its cache. */
const CACHE_MANAGER = 'CACHE_MANAGER';

/** Makes the result backend that `result_backend` names. Opens no connection. */
export async function createResultBackend(
  settings: TaskQueueSettings,
  broker: Broker,
  brokerOptions: BrokerOptions,
  moduleRef: ModuleRef,
): Promise<ResultBackend> {
  const { resultBackend } = settings;
  if (resultBackend === null) {
    return new BrokerStoreBackend(broker);
  }
  if (resultBackend === 'cache') {
    return new CacheBackend(new ApplicationCache(moduleRef));
  }
  const opened = await openRedisResults({ ...brokerOptions, resultBackendUrl: resultBackend });
  return opened
    ? new RedisBackend({
        description: opened.description,
        results: opened.store,
        close: () => opened.close(),
      })
    : new BrokerStoreBackend({ description: maskUrl(resultBackend), results: broker.results });
}

/** The application's cache, looked up at its first use: it is made after the backend. */
class ApplicationCache implements ResultCache {
  private cache: ResultCache | undefined;

  constructor(private readonly moduleRef: ModuleRef) {}

  get<T>(key: string): Promise<T | undefined | null> {
    return this.resolve().get<T>(key);
  }

  set(key: string, value: unknown, ttl?: number): Promise<unknown> {
    return this.resolve().set(key, value, ttl);
  }

  del(key: string): Promise<unknown> {
    return this.resolve().del(key);
  }

  private resolve(): ResultCache {
    this.cache ??= findCache(this.moduleRef);
    return this.cache;
  }
}

/** @throws ImproperlyConfigured when the application has no cache. */
export function findCache(moduleRef: ModuleRef): ResultCache {
  try {
    return moduleRef.get<ResultCache>(CACHE_MANAGER, { strict: false });
  } catch (cause) {
    throw new ImproperlyConfigured(
      "CELERY_RESULT_BACKEND is 'cache', but the application has no cache. Import " +
        'CacheModule.register({ isGlobal: true, stores: [...] }) of @nestjs/cache-manager, with ' +
        'a store that web processes and workers share.',
      { cause },
    );
  }
}
