import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';

import { brokerOptions } from '../../../../../test/support/broker-options.js';
import { PostgresServer } from '../../../../../test/support/postgres-server.js';
import { LeaseLostError } from '../../errors/task-queue.errors.js';
import type { Delivery, OutgoingTask, ResultRecord } from '../broker.port.js';
import { TABLES_SQL } from './postgres-tables.sql.js';
import { PostgresBroker } from './postgres.broker.js';

const KEEP = 60_000;
let server: PostgresServer;
let client: Client;
let schemas = 0;
let schema: string;
const opened: PostgresBroker[] = [];

function open(inSchema = schema): PostgresBroker {
  const transportOptions = { schema: inSchema };
  const broker = new PostgresBroker(brokerOptions(server.url, { transportOptions }));
  opened.push(broker);
  return broker;
}

function task(id: string, fields: Partial<OutgoingTask> = {}): OutgoingTask {
  return { id, name: 'demo.add', queue: 'work', data: '{"v":1,"a":"[]","h":{}}', ...fields };
}

function recordOf(id: string, status: string): ResultRecord {
  return { id, status, payload: JSON.stringify({ status }), ttl: 60_000 };
}

async function take(broker: PostgresBroker, queue = 'work'): Promise<Delivery> {
  const { delivery } = await broker.fetch(queue);
  expect(delivery).toBeDefined();
  return delivery!;
}

/** Fetches and finishes what can be fetched; returns the ids in that order. */
async function drain(broker: PostgresBroker): Promise<string[]> {
  const ids: string[] = [];
  for (let { delivery } = await broker.fetch('work'); delivery;) {
    ids.push(delivery.lease.id);
    ({ delivery } = await broker.finish(delivery.lease, {}, true));
  }
  return ids;
}

async function rows<R>(text: string, values: unknown[] = []): Promise<R[]> {
  const { rows: found } = await client.query(text.replaceAll('$schema', schema), values);
  return found as R[];
}

/** A listener, and what it heard. */
class Ear {
  readonly heard: string[] = [];
  #waiting: { count: number; resolve: () => void } | undefined;

  readonly listen = (text: string): void => {
    this.heard.push(text);
    if (this.#waiting && this.heard.length >= this.#waiting.count) {
      this.#waiting.resolve();
    }
  };

  async hears(count: number): Promise<string[]> {
    await new Promise<void>((resolve) => {
      this.#waiting = { count, resolve };
      if (this.heard.length >= count) {
        resolve();
      }
    });
    return this.heard;
  }
}

beforeAll(async () => {
  server = await PostgresServer.start();
  client = new Client({ connectionString: server.url });
  await client.connect();
}, 60_000);

beforeEach(() => {
  schemas += 1;
  schema = `control_${schemas}`;
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((broker) => broker.close()));
});

afterAll(async () => {
  await client.end();
  await server.close();
}, 30_000);

describe('a schema of the first version', () => {
  it('gets what is new, and keeps its tasks', async () => {
    await open().publish([task('old')]);
    await rows(`SET search_path TO $schema;
      DROP TABLE celery_revoked, celery_broadcast;
      DROP FUNCTION celery_revoke, celery_retry, celery_redrive, celery_discard, celery_broadcast;
      DROP FUNCTION celery_fetch, celery_finish_fetch;
      CREATE FUNCTION celery_fetch(p_queue text, p_token text, p_lease bigint)
        RETURNS TABLE (o_id text) LANGUAGE sql AS $$ SELECT NULL::text $$;
      DELETE FROM celery_migration WHERE version > 1;
      RESET search_path`);
    const broker = open();
    await broker.revoke('new', undefined, KEEP);
    await broker.publish([task('new')]);
    await expect(take(broker)).resolves.toMatchObject({ lease: { id: 'old' }, revoked: false });
    await expect(take(broker)).resolves.toMatchObject({ lease: { id: 'new' }, revoked: true });
  });

  it('gets it from its tables alone', async () => {
    const other = `${schema}_tables`;
    await client.query(`CREATE SCHEMA ${other}`);
    await client.query(`SET search_path TO ${other}`);
    await client.query(TABLES_SQL);
    await client.query('CREATE TABLE celery_migration (version integer PRIMARY KEY)');
    await client.query('INSERT INTO celery_migration VALUES (1)');
    await client.query('RESET search_path');
    const broker = open(other);
    await broker.publish([task('x', { priority: 1 })]);
    await expect(take(broker)).resolves.toMatchObject({ lease: { id: 'x' } });
  });
});

describe('priorities', () => {
  it('are those of BullMQ in the store, in small and in large batches', async () => {
    const broker = open();
    const large = Array.from({ length: 100 }, (_, n) => task(`n${n}`, { priority: n % 10 }));
    await broker.publish([
      task('none'),
      task('low', { priority: 1 }),
      task('top', { priority: 9 }),
    ]);
    await broker.publish(large);
    const stored = await rows<{ id: string; priority: number; opts: { priority?: number } }>(
      'SELECT id, priority, opts FROM $schema.job',
    );
    const found = new Map(stored.map((row) => [row.id, row]));
    expect(found.get('none')).toMatchObject({ priority: 0, opts: { attempts: 1 } });
    expect(found.get('none')!.opts.priority).toBeUndefined();
    expect(found.get('low')).toMatchObject({ priority: 9, opts: { priority: 9 } });
    expect(found.get('top')).toMatchObject({ priority: 1, opts: { priority: 1 } });
    expect(found.get('n7')).toMatchObject({ priority: 3, opts: { priority: 3 } });
    const wanted = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].flatMap((priority) => [
      ...(priority === 9 ? ['top'] : priority === 1 ? ['low'] : priority === 0 ? ['none'] : []),
      ...large.filter((one) => one.priority === priority).map(({ id }) => id),
    ]);
    await expect(drain(broker)).resolves.toEqual(wanted);
  });

  it('hold for delayed tasks, which join the end of their priority in the order of their times', async () => {
    const broker = open();
    const now = Date.now();
    await broker.publish([
      task('late', { priority: 3, dueAt: now + 60_002 }),
      task('soon', { priority: 3, dueAt: now + 60_001 }),
      task('first', { priority: 3 }),
      task('plain-late', { dueAt: now + 60_001 }),
      task('plain'),
      task('high', { priority: 9, dueAt: now + 60_003 }),
    ]);
    await rows('UPDATE $schema.job SET process_at_ms = process_at_ms - 70000');
    await expect(drain(broker)).resolves.toEqual([
      'high',
      'first',
      'soon',
      'late',
      'plain',
      'plain-late',
    ]);
  });

  it('are as they were while a worker holds the task, once it is back, and in a paused queue', async () => {
    const broker = open();
    await broker.publish([task('a', { priority: 5 }), task('b', { priority: 5 }), task('c')]);
    const priorities = (): Promise<unknown[]> =>
      rows('SELECT id, priority FROM $schema.job ORDER BY id');
    const before = await priorities();
    const { lease } = await take(broker);
    expect(lease.id).toBe('a');
    await expect(priorities()).resolves.toEqual(before);
    await broker.release(lease);
    await rows("INSERT INTO $schema.meta VALUES ('work', 'paused', '1')");
    await expect(broker.fetch('work')).resolves.toEqual({});
    await expect(priorities()).resolves.toEqual(before);
    await rows('DELETE FROM $schema.meta');
    await expect(drain(broker)).resolves.toEqual(['a', 'b', 'c']);
  });

  it('hold for many workers at a time: each task is fetched once', async () => {
    const brokers = [open(), open(), open()];
    const tasks = Array.from({ length: 120 }, (_, n) => task(`t${n}`, { priority: n % 4 }));
    await brokers[0]!.publish(tasks);
    const ids = await Promise.all([...brokers, ...brokers].map((broker) => drain(broker)));
    expect(ids.flat().toSorted()).toEqual(tasks.map(({ id }) => id).toSorted());
  });
});

describe('revoke', () => {
  const marks = (): Promise<{ task_id: string }[]> =>
    rows('SELECT task_id FROM $schema.celery_revoked ORDER BY task_id');

  it('ends what waits, is delayed or was put back, whatever its queue', async () => {
    const broker = open();
    await broker.publish([
      task('waits'),
      task('delayed', { queue: 'other', dueAt: Date.now() + 60_000 }),
      task('prioritised', { priority: 4, expiresAt: Date.now() + 60_000 }),
    ]);
    for (const id of ['waits', 'delayed', 'prioritised']) {
      await expect(broker.revoke(id, recordOf(id, 'REVOKED'), KEEP)).resolves.toBe('ended');
      await expect(broker.locate(id)).resolves.toBeUndefined();
      await expect(broker.results.get(id)).resolves.toBe('{"status":"REVOKED"}');
    }
    await expect(rows('SELECT * FROM $schema.celery_expiry')).resolves.toEqual([]);
    await expect(marks()).resolves.toEqual([]);
  });

  it('is remembered by the store until the task ends, through retry, release and reclaim', async () => {
    const [first, second] = [open(), open()];
    await first.publish([task('held')]);
    let { lease } = await take(first);
    await expect(second.revoke('held', recordOf('held', 'REVOKED'), KEEP)).resolves.toBe('active');
    await expect(second.results.get('held')).resolves.toBeUndefined();
    await first.retry(lease, task('held'), {});
    await first.close();
    const again = await take(second);
    expect(again.revoked).toBe(true);
    await second.release(again.lease);
    ({ lease } = await take(second));
    await rows('UPDATE $schema.job SET locked_until_ms = 0');
    await expect(second.reclaim('work')).resolves.toEqual(['held']);
    const last = await take(second);
    expect(last).toMatchObject({ revoked: true, redeliveries: 1 });
    await second.finish(last.lease, {}, false);
    await expect(second.finish(lease, {}, false)).rejects.toBeInstanceOf(LeaseLostError);
    await expect(marks()).resolves.toEqual([]);
  });

  it('marks an id for its publish, and says so with the next task of a finish, too', async () => {
    const broker = open();
    await expect(broker.revoke('later', recordOf('later', 'REVOKED'), KEEP)).resolves.toBe(
      'unknown',
    );
    await expect(broker.results.get('later')).resolves.toBe('{"status":"REVOKED"}');
    await broker.publish([task('before'), task('later')]);
    const { lease } = await take(broker);
    await expect(broker.finish(lease, {}, true)).resolves.toMatchObject({
      delivery: { lease: { id: 'later' }, revoked: true },
    });
  });

  it('leaves no mark behind that is over, purged or expired, however many there are', async () => {
    const broker = open();
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => broker.revoke(`m${n}`, undefined, KEEP)),
    );
    await broker.revoke('for-ever', undefined, Infinity);
    await rows(`INSERT INTO $schema.celery_revoked SELECT 'old-' || n, 1
                  FROM generate_series(1, 1200) AS n`);
    await broker.publish([task('m1'), task('m2', { expiresAt: Date.now() - 1 })]);
    await broker.publish([task('old-1')]);
    await expect(take(broker)).resolves.toMatchObject({ revoked: true });
    await expect(broker.expire(() => undefined)).resolves.toEqual(['m2']);
    await broker.publish([task('m3')]);
    await broker.purge('work');
    const left = (await marks()).map((row) => row.task_id);
    expect(left).toHaveLength(19);
    expect(left).toContain('for-ever');
    expect(left).not.toContain('m2');
    expect(left).not.toContain('m3');
  });

  it('decides against a fetch at the same time: ended and never run, or active and marked', async () => {
    const [worker, other] = [open(), open()];
    await worker.publish(Array.from({ length: 40 }, (_, n) => task(`r${n}`)));
    const fetching = Promise.all(Array.from({ length: 40 }, () => worker.fetch('work')));
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => other.revoke(`r${n}`, undefined, KEEP)),
    );
    const fetched = new Set((await fetching).map(({ delivery }) => delivery?.lease.id));
    answers.forEach((answer, n) => {
      expect(answer).toBe(fetched.has(`r${n}`) ? 'active' : 'ended');
    });
  });
});

describe('retry', () => {
  it('replaces the message with its times and its priority, and begins anew', async () => {
    const broker = open();
    await broker.publish([task('again', { expiresAt: Date.now() + 1000 }), task('other')]);
    await broker.postpone((await take(broker)).lease, 0);
    const told = new Promise((resolve) => broker.onResult((...heard) => resolve(heard)));
    await broker.watch('again');
    await broker.finish((await take(broker)).lease, {}, false);
    const held = await take(broker);
    expect(held).toMatchObject({ lease: { id: 'again' }, postponements: 1 });
    await broker.publish([task('waits', { priority: 2 })]);
    const message = task('again', { data: '{"v":2}', priority: 3, dueAt: Date.now() + 60_000 });
    await broker.retry(held.lease, message, { record: recordOf('again', 'RETRY') });
    await expect(told).resolves.toEqual(['again', '{"status":"RETRY"}']);
    await expect(broker.locate('again')).resolves.toEqual({ queue: 'work', state: 'delayed' });
    await expect(rows('SELECT * FROM $schema.celery_expiry')).resolves.toEqual([]);
    await rows("UPDATE $schema.job SET process_at_ms = 1 WHERE id = 'again'");
    await expect(take(broker)).resolves.toMatchObject({
      lease: { id: 'again' },
      data: '{"v": 2}',
      redeliveries: 0,
      postponements: 0,
    });
    await expect(broker.retry(held.lease, message, {})).rejects.toBeInstanceOf(LeaseLostError);
  });

  it('moves the task to another queue, wakes who waits there, and keeps the new expiry', async () => {
    const broker = open();
    await broker.publish([task('moves')]);
    const { lease } = await take(broker);
    await broker.fetch('slow');
    const wait = broker.waitForWork(['slow'], 10_000);
    const moved = task('moves', { queue: 'slow', priority: 1, expiresAt: Date.now() + 60_000 });
    await broker.retry(lease, moved, { announce: '{}' });
    await expect(wait).resolves.toEqual([{ queue: 'slow' }]);
    await expect(broker.queues()).resolves.toEqual(['slow', 'work']);
    await expect(rows('SELECT queue, task_id FROM $schema.celery_expiry')).resolves.toEqual([
      { queue: 'slow', task_id: 'moves' },
    ]);
    // A producer that did not hear of its publish finds that the task has run.
    await broker.publish([task('moves')], true);
    await expect(broker.fetch('work')).resolves.toEqual({});
    await expect(take(broker, 'slow')).resolves.toMatchObject({ lease: { id: 'moves' } });
  });
});

describe('dead letters', () => {
  it('are put back as if they were published now, or removed', async () => {
    const broker = open();
    await broker.publish([task('dead', { priority: 2 }), task('gone')]);
    await take(broker);
    await rows('UPDATE $schema.job SET locked_until_ms = 0');
    await broker.reclaim('work');
    const before = await take(broker);
    expect(before.redeliveries).toBe(1);
    await broker.finish(before.lease, { deadLetter: 'bad' }, false);
    await broker.finish((await take(broker)).lease, { deadLetter: 'bad' }, false);
    await expect(broker.redrive('work', 'dead')).resolves.toBe(true);
    await expect(broker.redrive('work', 'dead')).resolves.toBe(false);
    await expect(broker.discard('work', 'dead')).resolves.toBe(false);
    await expect(broker.discard('work', 'gone')).resolves.toBe(true);
    await expect(broker.discard('work', 'gone')).resolves.toBe(false);
    await expect(broker.redrive('nowhere', 'gone')).resolves.toBe(false);
    await expect(broker.counts('work')).resolves.toMatchObject({ waiting: 1, dead: 0 });
    const after = await take(broker);
    expect(after).toMatchObject({ redeliveries: 0, postponements: 0 });
    expect(after.publishedAt).toBeGreaterThanOrEqual(before.publishedAt);
  });
});

describe('broadcast', () => {
  it('tells all processes of the schema, in order, whatever the text and its size', async () => {
    const [speaker, listener, stranger] = [open(), open(), open(`${schema}_other`)];
    const ears = [new Ear(), new Ear(), new Ear()] as const;
    await speaker.onBroadcast(ears[0].listen);
    await listener.onBroadcast(ears[1].listen);
    await stranger.onBroadcast(ears[2].listen);
    const texts = ['', 'a "quoted" \0 \ud800 text', '\u00e9'.repeat(100_000), '7', '"', 'last'];
    for (const text of texts) {
      await speaker.broadcast(text);
    }
    await expect(ears[0].hears(texts.length)).resolves.toEqual(texts);
    await expect(ears[1].hears(texts.length)).resolves.toEqual(texts);
    await stranger.broadcast('mine');
    await expect(ears[2].hears(1)).resolves.toEqual(['mine']);
    const late = new Ear();
    await listener.onBroadcast(late.listen);
    await speaker.broadcast('again');
    await expect(late.hears(1)).resolves.toEqual(['again']);
    expect(ears[1].heard).toHaveLength(texts.length);
    await rows("UPDATE $schema.celery_broadcast SET created_at = now() - interval '1 hour'");
    await speaker.expire(() => undefined);
    await expect(rows('SELECT 1 FROM $schema.celery_broadcast')).resolves.toEqual([]);
  });

  it('goes on after a listener that threw and a notification that is none of ours', async () => {
    const broker = open();
    const ear = new Ear();
    await broker.onBroadcast((text) => {
      ear.listen(text);
      throw new Error('the listener');
    });
    await broker.broadcast('first');
    await ear.hears(1);
    const [channel] = await rows<{ query: string }>(
      "SELECT query FROM pg_stat_activity WHERE query LIKE 'LISTEN \"celery_control%' LIMIT 1",
    );
    await rows(channel!.query.replace('LISTEN', 'NOTIFY') + ", 'nonsense'");
    await rows(channel!.query.replace('LISTEN', 'NOTIFY') + ", '99999'");
    await broker.broadcast('second');
    await expect(ear.hears(2)).resolves.toEqual(['first', 'second']);
  });

  it('is heard again after the connection broke', async () => {
    const [speaker, listener] = [open(), open()];
    const ear = new Ear();
    await listener.onBroadcast(ear.listen);
    await rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
    // What is said before it is back is lost: this is said until one is heard.
    while (ear.heard.length === 0) {
      await speaker.broadcast('are you there?');
    }
    expect(ear.heard[0]).toBe('are you there?');
  });
});
