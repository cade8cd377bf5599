import { describe, expect, it } from '@jest/globals';
import { OperationalError } from 'nestjs-celery';
import { RedisServer } from '../support/redis-server.js';
import { openClient } from '../support/store-case.js';
import { describeWithRedis, postgresUrl } from '../support/stores.js';
import { WorkerProcess } from '../support/worker-process.js';

/** Starts a worker that cannot start; its exit code and what it said. */
async function failToStart(
  env: Record<string, string>,
  args: string[] = [],
): Promise<{ code: number | null; output: string }> {
  const worker = new WorkerProcess({ env, args });
  const code = await worker.exited;
  return { code, output: worker.output };
}

const memory = { CELERY_BROKER_URL: 'memory://' };

describe('a worker does not start with', () => {
  it('an unknown setting', async () => {
    const { code, output } = await failToStart({ ...memory, CELERY_FOO: '1' });
    expect(output).toMatch(/CELERY_FOO/);
    expect(code).toBe(2);
  });

  it('a misspelt setting: it names the nearest one', async () => {
    const { code, output } = await failToStart({ ...memory, CELERY_TASK_TRACK_STARTD: '1' });
    expect(output).toMatch(/CELERY_TASK_TRACK_STARTD[\s\S]*CELERY_TASK_TRACK_STARTED/);
    expect(code).toBe(2);
  });

  it('a setting of the wrong type', async () => {
    const { code, output } = await failToStart({ ...memory, CELERY_RESULT_EXPIRES: 'abc' });
    expect(output).toMatch(/CELERY_RESULT_EXPIRES/);
    expect(code).toBe(2);
  });

  it('no broker', async () => {
    const { code, output } = await failToStart({});
    expect(output).toMatch(/redis:\/\//);
    expect(output).toMatch(/postgresql:\/\//);
    expect(code).toBe(2);
  });

  it('a flag that does not exist', async () => {
    const { code, output } = await failToStart(memory, ['--concurency', '4']);
    expect(output).toMatch(/--concurency/);
    expect(code).toBe(1);
  });

  it('an unreachable broker that it may not wait for', async () => {
    const { code, output } = await failToStart({
      CELERY_BROKER_URL: 'redis://:hush-hush@127.0.0.1:1/0',
      CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP: 'false',
    });
    expect(output).toMatch(/redis:\/\/127\.0\.0\.1:1\/0 cannot be reached/);
    expect(output).not.toMatch(/hush-hush/);
    expect(code).toBe(2);
  });

  it('a wrong password for PostgreSQL', async () => {
    const url = new URL(postgresUrl());
    url.username = 'nobody_of_that_name';
    url.password = 'hush-hush';
    const { code, output } = await failToStart({ CELERY_BROKER_URL: url.href });
    expect(output).toMatch(/nobody_of_that_name|password|role/);
    expect(output).not.toMatch(/hush-hush/);
    expect(code).toBe(2);
  });
});

describe('a worker that may wait', () => {
  it('tries an unreachable broker again, and ends at a signal', async () => {
    const worker = new WorkerProcess({ env: { CELERY_BROKER_URL: 'redis://127.0.0.1:1/0' } });
    await worker.says(/Cannot connect to redis:\/\/127\.0\.0\.1:1\/0.*Trying again in 2\.00 sec/);
    worker.signal('SIGTERM');
    expect(await worker.exited).toBe(0);
  });
});

describeWithRedis('a Redis with a password', () => {
  it('refuses a wrong one with a sentence that does not show it', async () => {
    const server = await RedisServer.start({ password: 'right-one' });
    try {
      const url = `redis://:hush-hush@127.0.0.1:${server.port}/0`;
      const { code, output } = await failToStart({ CELERY_BROKER_URL: url });
      expect(output).toMatch(/refused the user name or the password/);
      expect(output).not.toMatch(/hush-hush/);
      expect(code).toBe(2);

      const client = await openClient({ brokerUrl: url, taskPublishTimeout: 2 });
      const begin = Date.now();
      const error = await client.tasks.delay('fixture.add', 1, 2).catch((e: unknown) => e);
      await client.close();
      expect(error).toBeInstanceOf(OperationalError);
      expect(String(error)).toMatch(/password/);
      expect(String(error)).not.toMatch(/hush-hush/);
      expect(Date.now() - begin).toBeLessThan(3000);
    } finally {
      await server.close();
    }
  });
});
