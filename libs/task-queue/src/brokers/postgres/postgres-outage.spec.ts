import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import { brokerOptions } from '../../../../../test/support/broker-options.js';
import { PostgresServer } from '../../../../../test/support/postgres-server.js';
import { LeaseLostError } from '../../errors/task-queue.errors.js';
import type { BrokerOptions } from '../broker-options.interface.js';
import type { OutgoingTask } from '../broker.port.js';
import { PostgresBroker } from './postgres.broker.js';

const TIMEOUT = 2000;
let server: PostgresServer;
const opened: PostgresBroker[] = [];

function open(fields: Partial<BrokerOptions> = {}, url = server.url): PostgresBroker {
  const broker = new PostgresBroker(brokerOptions(url, { connectionTimeout: TIMEOUT, ...fields }));
  opened.push(broker);
  return broker;
}

function task(id: string, queue = 'work'): OutgoingTask {
  return { id, name: 'demo.add', queue, data: '{"v":1,"a":"[]","h":{}}' };
}

/** Calls until it works, as a worker or a retrying producer does. */
async function eventually<T>(call: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 15_000;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (Date.now() > deadline) {
        throw error;
      }
    }
  }
}

/** A network between broker and server that can be made to fail. */
class Wire {
  private readonly near = new Set<Socket>();
  private readonly far = new Set<Socket>();
  private frozen = false;
  private readonly listener = createServer((near) => {
    const far = connect(server.port, '127.0.0.1');
    this.near.add(near);
    this.far.add(far);
    if (!this.frozen) {
      near.pipe(far);
      far.pipe(near);
    }
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
  });

  async lay(): Promise<string> {
    this.listener.listen(0, '127.0.0.1');
    await once(this.listener, 'listening');
    const { port } = this.listener.address() as AddressInfo;
    return server.url.replace(`:${server.port}/`, `:${port}/`);
  }

  /** Nothing gets through any more, and nobody is told. */
  freeze(): void {
    this.frozen = true;
    this.near.forEach((socket) => socket.unpipe().pause());
    this.mute();
  }

  /** Answers do not get through any more. */
  mute(): void {
    this.far.forEach((socket) => socket.unpipe().pause());
  }

  /** Breaks all connections; new ones can be made. */
  break(): void {
    this.near.forEach((socket) => socket.destroy());
  }

  async remove(): Promise<void> {
    this.break();
    this.listener.close();
    await once(this.listener, 'close');
  }
}

beforeAll(async () => {
  server = await PostgresServer.start();
}, 60_000);

afterEach(async () => {
  await Promise.all(opened.splice(0).map((broker) => broker.close()));
});

afterAll(async () => {
  await server.close();
}, 30_000);

describe('a PostgreSQL broker', () => {
  it('can be used after its first call failed because the server was away', async () => {
    const broker = open();
    await server.stop();
    await expect(broker.publish([task('first')])).rejects.toMatchObject({
      name: 'OperationalError',
      message: expect.stringContaining(broker.description),
      cause: { code: 'ECONNREFUSED' },
    });
    await server.start();
    await eventually(() => broker.publish([task('first')], true));
    await expect(broker.locate('first')).resolves.toMatchObject({ state: 'waiting' });
    await broker.purge('work');
  }, 60_000);

  it('goes on after the server crashed: work is noticed and results arrive', async () => {
    const [producer, worker] = [open(), open()];
    const told = new Promise<string>((resolve) => producer.onResult(resolve));
    await worker.connect();
    await producer.watch('after-crash');
    // The crash may meet it while it looks into the store; it then fails.
    const wait = worker.waitForWork(['work'], 60_000).catch((thrown: Error) => [thrown.name]);
    await server.kill();
    // The worker is to find out by itself, not after its timeout.
    expect([[{ queue: 'work' }], ['OperationalError']]).toContainEqual(await wait);
    await expect(worker.fetch('work')).rejects.toMatchObject({ name: 'OperationalError' });
    await server.start();
    await eventually(() => producer.publish([task('after-crash')], true));
    const { delivery } = await eventually(() => worker.fetch('work'));
    const record = {
      id: 'after-crash',
      status: 'SUCCESS',
      payload: '{"status":"SUCCESS"}',
      ttl: 60_000,
    };
    await eventually(() => worker.finish(delivery!.lease, { record }, false));
    await expect(told).resolves.toBe('after-crash');
    const next = eventually(() => worker.waitForWork(['work'], 60_000));
    await producer.publish([task('noticed')]);
    await expect(next).resolves.toEqual([{ queue: 'work' }]);
    await worker.purge('work');
  }, 60_000);

  it('says which of user, password and database is wrong, never the password', async () => {
    const wrongPassword = open({}, server.url.replace(/:[^:@/]*@/, ':hush-hush@'));
    const noDatabase = open({}, server.url.replace(/\/[^/]*$/, '/nowhere'));
    for (const [broker, text] of [
      [wrongPassword, 'refused the user or the password'],
      [noDatabase, "no database 'nowhere'"],
    ] as const) {
      const error = (await broker.results.get('x').catch((thrown: Error) => thrown)) as Error;
      expect(error).toMatchObject({ name: 'OperationalError' });
      expect(error.message).toContain(text);
      expect(error.message).not.toContain('hush');
    }
  });

  it('does not make tables when it may not, and says how to', async () => {
    const transportOptions = { schema: 'untouched', migrate: false };
    await expect(open({ transportOptions }).publish([task('x')])).rejects.toMatchObject({
      name: 'ImproperlyConfigured',
      message: expect.stringContaining("schema 'untouched'"),
    });
    await open({ transportOptions: { schema: 'untouched' } }).publish([task('x')]);
    await expect(open({ transportOptions }).counts('work')).resolves.toMatchObject({ waiting: 1 });
  });

  it('is set up once by many processes that start together', async () => {
    const transportOptions = { schema: 'together' };
    const brokers = Array.from({ length: 6 }, () => open({ transportOptions }));
    await Promise.all(brokers.map((broker, index) => broker.publish([task(`t${index}`)])));
    await expect(brokers[0]!.counts('work')).resolves.toMatchObject({ waiting: 6 });
  }, 30_000);

  it('gives calls and its own end up when the server does not answer', async () => {
    const wire = new Wire();
    const broker = open({ connectionTimeout: 300 }, await wire.lay());
    broker.onResult(() => undefined);
    await broker.connect();
    await broker.watch('x');
    wire.freeze();
    await expect(broker.publish([task('frozen')])).rejects.toMatchObject({
      name: 'OperationalError',
      message: expect.stringContaining('0.3 s'),
    });
    const fetched = broker.fetch('work').catch((thrown: Error) => thrown);
    const start = Date.now();
    await broker.close();
    expect(Date.now() - start).toBeLessThan(5000);
    await expect(fetched).resolves.toMatchObject({ name: 'OperationalError' });
    await expect(broker.publish([task('late')])).rejects.toMatchObject({
      message: expect.stringContaining('was closed'),
    });
    await wire.remove();
  }, 30_000);

  it('knows a finish that was stored although the answer was lost', async () => {
    const wire = new Wire();
    const [worker, other] = [open({}, await wire.lay()), open()];
    await other.publish([task('unsure'), task('next')]);
    const { delivery } = await worker.fetch('work');
    const payload = '{"status":"SUCCESS"}';
    const record = { id: 'unsure', status: 'SUCCESS', payload, ttl: 60_000 };
    const stored = new Promise((resolve) => other.onResult(resolve));
    await other.watch('unsure');
    wire.mute();
    const finished = worker.finish(delivery!.lease, { record }, false);
    await Promise.all([
      stored.then(() => wire.break()),
      expect(finished).rejects.toMatchObject({ name: 'OperationalError' }),
    ]);
    await expect(worker.finish(delivery!.lease, { record }, true)).resolves.toMatchObject({
      delivery: { lease: { id: 'next' } },
    });
    await worker.close();
    await wire.remove();
  }, 30_000);

  it('knows a retry that was stored although the answer was lost', async () => {
    const wire = new Wire();
    const [worker, other] = [open({}, await wire.lay()), open()];
    await other.publish([task('retried', 'retries')]);
    const { delivery } = await worker.fetch('retries');
    const again = { ...task('retried', 'retries'), dueAt: Date.now() + 60_000 };
    const payload = '{"status":"RETRY"}';
    const record = { id: 'retried', status: 'RETRY', payload, ttl: 60_000 };
    const stored = new Promise((resolve) => other.onResult(resolve));
    await other.watch('retried');
    wire.mute();
    const retried = worker.retry(delivery!.lease, again, { record });
    await Promise.all([
      stored.then(() => wire.break()),
      expect(retried).rejects.toMatchObject({ name: 'OperationalError' }),
    ]);
    await worker.retry(delivery!.lease, again, { record });
    await expect(other.counts('retries')).resolves.toMatchObject({ delayed: 1, active: 0 });
    await expect(worker.retry(delivery!.lease, again, {})).rejects.toBeInstanceOf(LeaseLostError);
    await worker.close();
    await wire.remove();
  }, 30_000);

  it('refuses a finish that was stored already and was answered', async () => {
    const broker = open();
    await broker.publish([task('twice', 'twice')]);
    const { delivery } = await broker.fetch('twice');
    await broker.finish(delivery!.lease, {}, false);
    await expect(broker.finish(delivery!.lease, {}, false)).rejects.toBeInstanceOf(LeaseLostError);
  });
});
