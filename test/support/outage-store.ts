import { PostgresServer } from './postgres-server.js';
import { RedisServer } from './redis-server.js';
import { storeCase, type StoreCase } from './store-case.js';

/** A server of a test's own, that can go away and come back with its data. */
export interface OutageStore extends StoreCase {
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** A Redis that keeps its data over a stop. */
export async function durableRedis(): Promise<OutageStore> {
  return asOutageStore('redis', await RedisServer.start({ appendonly: true }));
}

export async function durablePostgres(): Promise<OutageStore> {
  return asOutageStore('postgres', await PostgresServer.start());
}

function asOutageStore(
  name: StoreCase['name'],
  server: Pick<RedisServer, 'url' | 'stop' | 'start' | 'close'>,
): OutageStore {
  return {
    ...storeCase(name, server.url),
    stop: () => server.stop(),
    start: () => server.start(),
    close: () => server.close(),
  };
}
