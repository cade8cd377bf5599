import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { createCache } from 'cache-manager';
import { Redis } from 'ioredis';
import { Client, escapeIdentifier } from 'pg';

import type { Broker } from '../../libs/task-queue/src/brokers/broker.port.js';
import { createBroker, openRedisResults } from '../../libs/task-queue/src/brokers/index.js';
import { MemoryBroker, MemoryStore } from '../../libs/task-queue/src/brokers/memory/index.js';
import { ManualClock } from '../../libs/task-queue/src/clock/index.js';
import {
  BrokerStoreBackend,
  CacheBackend,
  RedisBackend,
} from '../../libs/task-queue/src/results/index.js';
import { brokerOptions } from '../support/broker-options.js';
import { describeWithRedis, postgresUrl, redisUrl } from '../support/stores.js';
import { describeResultBackendConformance } from './result-backend.conformance.js';

const base = `results_${randomUUID().slice(0, 8)}`;

/** Results in the broker's own store: the brokers are closed by who opened them. */
function inBroker(open: () => Promise<Broker>, clearUp: () => Promise<void>) {
  const brokers: Broker[] = [];
  return {
    async open() {
      const broker = await open();
      brokers.push(broker);
      return new BrokerStoreBackend(broker);
    },
    async close() {
      await Promise.all(brokers.map((broker) => broker.close()));
      await clearUp();
    },
  };
}

const clock = new ManualClock();
const store = new MemoryStore();
describeResultBackendConformance('memory broker', {
  ...inBroker(
    () => Promise.resolve(new MemoryBroker({ clock, leaseDuration: 30_000, store })),
    () => Promise.resolve(),
  ),
  elapse: (ms) => clock.advanceAsync(ms),
});

const cache = createCache();
// Within one process: what one CacheBackend stores at once, it stores one after another.
describeResultBackendConformance('cache', {
  open: () => Promise.resolve(new CacheBackend(cache)),
  elapse: (ms) => sleep(ms),
  async close() {
    await cache.disconnect();
  },
});

describeResultBackendConformance('postgres broker', {
  ...inBroker(
    () => createBroker(brokerOptions(postgresUrl(), { transportOptions: { schema: base } })),
    async () => {
      const client = new Client({ connectionString: postgresUrl() });
      await client.connect();
      await client.query(`DROP SCHEMA IF EXISTS ${escapeIdentifier(base)} CASCADE`);
      await client.end();
    },
  ),
  elapse: (ms) => sleep(ms),
});

describeWithRedis('on a real Redis', () => {
  const transportOptions = { global_keyprefix: `${base}-` };

  describeResultBackendConformance('redis broker', {
    ...inBroker(() => createBroker(brokerOptions(redisUrl(), { transportOptions })), clearRedis),
    elapse: (ms) => sleep(ms),
  });

  describeResultBackendConformance('redis', {
    async open() {
      const opened = await openRedisResults({
        ...brokerOptions('memory://'),
        resultBackendUrl: redisUrl(),
        resultTransportOptions: { global_keyprefix: `${base}-own-` },
      });
      const { description, store: results } = opened!;
      return new RedisBackend({ description, results, close: () => opened!.close() });
    },
    elapse: (ms) => sleep(ms),
    close: clearRedis,
  });
});

async function clearRedis(): Promise<void> {
  const redis = new Redis(redisUrl());
  for await (const keys of redis.scanStream({ match: `${base}-*`, count: 1_000 })) {
    if ((keys as string[]).length > 0) await redis.unlink(...(keys as string[]));
  }
  redis.disconnect();
}
