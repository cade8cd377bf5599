import { expect, it } from '@jest/globals';
import type { TaskQueueSettingsInput } from 'nestjs-celery';
import { openInProcess } from '../support/in-process.js';
import { RedisServer } from '../support/redis-server.js';
import { Sentinel } from '../support/sentinel.js';
import { describeWithRedis } from '../support/stores.js';

/** Starting servers takes its time, milliseconds. */
const LIMIT = 30_000;

/** A call, a delayed call, many calls at once and an error: through every kind of command. */
async function expectToWork(settings: TaskQueueSettingsInput): Promise<void> {
  const app = await openInProcess(settings);
  try {
    const one = await app.tasks.delay('fixture.add', 2, 3);
    expect(await one.get({ timeout: 10 })).toBe(5);
    const delayed = await app.tasks.applyAsync('fixture.add', [1, 1], { countdown: 0.3 });
    expect(await delayed.get({ timeout: 10 })).toBe(2);
    const many = await Promise.all(
      Array.from({ length: 50 }, (_, index) => app.tasks.delay('fixture.add', index, 1)),
    );
    const values = await Promise.all(many.map((result) => result.get({ timeout: 10 })));
    expect(values).toEqual(many.map((_, index) => index + 1));
    const failed = await app.tasks.delay('fixture.throwsRange');
    await expect(failed.get({ timeout: 10 })).rejects.toBeInstanceOf(RangeError);
    await app.tasks.result(one.id).forget();
    expect(await app.tasks.result(one.id).exists()).toBe(false);
    await app.worker.stop();
    expect(await app.broker.counts('celery')).toMatchObject({ waiting: 0, active: 0, dead: 0 });
  } finally {
    await app.close();
  }
}

describeWithRedis('Redis', () => {
  it(
    'works as a cluster',
    async () => {
      const server = await RedisServer.start({ cluster: true });
      try {
        await expectToWork({ brokerUrl: `redis+cluster://127.0.0.1:${server.port}` });
      } finally {
        await server.close();
      }
    },
    LIMIT,
  );

  it(
    'works with TLS and a password',
    async () => {
      const server = await RedisServer.start({ tls: true, password: 'a b@c:d/e' });
      try {
        const brokerUrl = `rediss://:${encodeURIComponent('a b@c:d/e')}@127.0.0.1:${server.port}/2`;
        await expectToWork({ brokerUrl, brokerUseSsl: { ca: server.certificate } });
      } finally {
        await server.close();
      }
    },
    LIMIT,
  );

  it(
    'works through a sentinel',
    async () => {
      const server = await RedisServer.start();
      const sentinel = await Sentinel.start('themaster', server.port);
      try {
        await expectToWork({
          brokerUrl: `sentinel://127.0.0.1:${sentinel.port}/1`,
          brokerTransportOptions: { masterName: 'themaster' },
        });
      } finally {
        await sentinel.close();
        await server.close();
      }
    },
    LIMIT,
  );

  it(
    'works with the results in another database, and on another server',
    async () => {
      const server = await RedisServer.start();
      const other = await RedisServer.start();
      try {
        const brokerUrl = `redis://127.0.0.1:${server.port}/0`;
        await expectToWork({ brokerUrl, resultBackend: `redis://127.0.0.1:${server.port}/1` });
        await expectToWork({ brokerUrl, resultBackend: `redis://127.0.0.1:${other.port}/1` });
      } finally {
        await server.close();
        await other.close();
      }
    },
    LIMIT,
  );
});
