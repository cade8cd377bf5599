import { createPostgresBackend, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import type { StoreCase } from './store-case.js';

/** What a foreign or broken producer may leave in a queue: the id and the text of each. */
const MESSAGES: readonly (readonly [string, string])[] = [
  ['not-ours', '{"hello":"hush-hush"}'],
  ['no-args', '{"v":1,"h":{}}'],
  ['args-no-string', '{"v":1,"a":[["hush-hush"]],"h":{}}'],
  ['args-no-json', '{"v":1,"a":"hush-hush","h":{}}'],
  ['args-no-list', '{"v":1,"a":"{\\"x\\":\\"hush-hush\\"}","h":{}}'],
  ['future', '{"v":99,"a":"[[]]","h":{}}'],
  ['bad-header', '{"v":1,"a":"[[]]","h":{"expires":{"hush-hush":1}}}'],
  ['pickle', '{"v":1,"a":"hush-hush","h":{"content_type":"application/x-python-serialize"}}'],
  ['proto', '{"v":1,"a":"hush-hush","__proto__":{"polluted":1},"h":{"__proto__":{"polluted":1}}}'],
  ['null', 'null'],
];

/** Puts garbage into the queue `celery` with BullMQ's own means; answers the ids. */
export async function plantGarbage({ name, settings }: StoreCase): Promise<string[]> {
  const options = settings.brokerTransportOptions ?? {};
  const url = String(settings.brokerUrl);
  return name === 'redis'
    ? plantInRedis(url, `${options.globalKeyprefix ?? ''}bull`)
    : plantInPostgres(url, options.schema ?? 'bullmq');
}

async function plantInRedis(url: string, prefix: string): Promise<string[]> {
  const redis = new Redis(url);
  const key = (part: string): string => `${prefix}:celery:${part}`;
  const plant = async (id: string, data: string | Buffer): Promise<void> => {
    const fields = { name: 'fixture.add', data, opts: '{}', timestamp: String(Date.now()) };
    await redis.hset(key(id), fields);
    await redis.lpush(key('wait'), id);
  };
  for (const [id, text] of MESSAGES) {
    await plant(id, text);
  }
  await plant('binary', Buffer.from([0xff, 0x00, 0xfe, 0x80]));
  await plant('cut-off', '{"v":1,"a":"hush-hush');
  // An id whose job is gone.
  await redis.lpush(key('wait'), 'ghost');
  await redis.zadd(key('marker'), 0, '0');
  await redis.quit();
  return [...MESSAGES.map(([id]) => id), 'binary', 'cut-off', 'ghost'];
}

async function plantInPostgres(url: string, schema: string): Promise<string[]> {
  const connection = { connectionString: url, schema };
  const queue = new Queue('celery', { connection }, createPostgresBackend);
  for (const [jobId, text] of MESSAGES) {
    await queue.add('fixture.add', JSON.parse(text), { jobId });
  }
  await queue.close();
  return MESSAGES.map(([id]) => id);
}
