import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '../clock/index.js';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import type { BrokerOptions } from './broker-options.interface.js';
import { createBroker, openRedisResults } from './create-broker.js';
import { MemoryBroker, MemoryStore } from './memory/index.js';

// No server runs at these addresses, and none is needed: nothing is connected.

function options(url: string, more: Partial<BrokerOptions> = {}): BrokerOptions {
  return {
    url,
    leaseDuration: 30_000,
    connectionTimeout: 100,
    clock: new ManualClock(),
    logger: { debug() {}, log() {}, warn() {}, error() {} },
    transportOptions: {},
    ...more,
  };
}

describe('createBroker', () => {
  it.each([
    ['redis://:pw@host.invalid:6380/2', 'redis://host.invalid:6380/2'],
    ['REDISS://host.invalid', 'rediss://host.invalid:6379/0'],
    ['valkey://host.invalid', 'redis://host.invalid:6379/0'],
    ['redis+cluster://a.invalid', 'redis+cluster://a.invalid:6379'],
    ['memory://', 'memory://'],
  ])('makes the driver of %s and connects nothing', async (url, description) => {
    const broker = await createBroker(options(url));
    expect(broker.description).toBe(description);
    await broker.close();
  });

  it.each(['postgresql', 'postgres'])('makes the driver of %s://', async (scheme) => {
    const broker = await createBroker(options(`${scheme}://u:hunter2@host.invalid:5432/db`));
    expect(broker.description).toContain('host.invalid');
    expect(broker.description).not.toContain('hunter2');
    await broker.close();
  });

  it('makes memory brokers that share nothing, unless given one store', async () => {
    const store = new MemoryStore();
    const shared = { transportOptions: { store } };
    const [a, b, c] = await Promise.all([
      createBroker(options('memory://', shared)),
      createBroker(options('memory://', shared)),
      createBroker(options('memory://')),
    ]);
    expect(a).toBeInstanceOf(MemoryBroker);
    await a.publish([{ id: 'x', name: 'n', queue: 'q', data: '' }]);
    expect(await b.locate('x')).toBeDefined();
    expect(await c.locate('x')).toBeUndefined();
  });

  it.each(['amqp://user:hunter2@host', 'no-url-hunter2', ''])('refuses %j', async (url) => {
    const made = createBroker(options(url));
    await expect(made).rejects.toThrow(ImproperlyConfigured);
    await expect(made).rejects.toThrow(/Use redis:\/\/, postgresql:\/\/ or memory:\/\//);
    await expect(made).rejects.not.toThrow(/hunter2/);
  });
});

describe('openRedisResults', () => {
  const open = (url: string, resultBackendUrl: string, more: Partial<BrokerOptions> = {}) =>
    openRedisResults({ ...options(url, more), resultBackendUrl });

  it.each([
    ['redis://host.invalid/0', 'redis://host.invalid/0'],
    ['redis://host.invalid/0', 'redis://host.invalid:6379/5'],
    ['redis://:pw@host.invalid', 'valkey://:pw@host.invalid/1'],
  ])('leaves the results of %s to the broker, for %s', async (url, results) => {
    expect(await open(url, results)).toBeUndefined();
  });

  it.each([
    ['redis://host.invalid', 'redis://:pw@other.invalid/3', 'redis://other.invalid:6379/3'],
    ['redis://host.invalid', 'redis://:pw@host.invalid', 'redis://host.invalid:6379/0'],
    ['memory://', 'redis://:pw@host.invalid', 'redis://host.invalid:6379/0'],
    ['postgresql://u@host.invalid/db', 'rediss://host.invalid', 'rediss://host.invalid:6379/0'],
  ])('of %s and %s opens a store, and connects nothing', async (url, results, description) => {
    const opened = await open(url, results);
    expect(opened?.description).toBe(description);
    expect(opened?.store).toBeDefined();
    await opened?.close();
  });

  it('takes the transport options of the result backend', async () => {
    const resultTransportOptions = { master_name: 'results' };
    const opened = await open('redis://host.invalid', 'sentinel://a.invalid', {
      resultTransportOptions,
    });
    expect(opened?.description).toBe('sentinel://a.invalid:26379/0 (results)');
    await opened?.close();
  });
});
