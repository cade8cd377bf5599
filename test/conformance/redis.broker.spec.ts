import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';

import { RedisBroker } from '../../libs/task-queue/src/brokers/redis/redis.broker.js';
import { brokerOptions } from '../support/broker-options.js';
import { describeWithRedis, redisUrl } from '../support/stores.js';
import { describeBrokerConformance } from './broker.conformance.js';

describeWithRedis('on a real server', () => {
  const base = `conformance-${randomUUID().slice(0, 8)}-`;
  let round = 0;

  describeBrokerConformance('redis', {
    open({ leaseDurationMs = 30_000, group = '' } = {}) {
      const transportOptions = { global_keyprefix: `${base}${round}${group}-` };
      const options = { leaseDuration: leaseDurationMs, transportOptions };
      return Promise.resolve(new RedisBroker(brokerOptions(redisUrl(), options)));
    },
    reset() {
      round++;
      return Promise.resolve();
    },
    elapse: (ms) => sleep(ms),
    now: () => Date.now(),
    openUnreachable: () =>
      new RedisBroker(
        brokerOptions('redis://:hush-hush@127.0.0.1:1/0', { connectionTimeout: 500 }),
      ),
    async close() {
      const redis = new Redis(redisUrl());
      for await (const keys of redis.scanStream({ match: `${base}*`, count: 1_000 })) {
        if ((keys as string[]).length > 0) {
          await redis.unlink(...(keys as string[]));
        }
      }
      redis.disconnect();
    },
  });
});
