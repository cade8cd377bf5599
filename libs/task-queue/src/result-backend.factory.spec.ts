import { describe, expect, it } from '@jest/globals';
import type { ModuleRef } from '@nestjs/core';
import type { BrokerOptions } from './brokers/index.js';
import { MemoryBroker } from './brokers/memory/index.js';
import { ManualClock } from './clock/index.js';
import { ImproperlyConfigured } from './errors/task-queue.errors.js';
import { createResultBackend, findCache } from './result-backend.factory.js';
import { BrokerStoreBackend, CacheBackend, RedisBackend } from './results/index.js';
import { parseSettings, type TaskQueueSettingsInput } from './settings/index.js';

const clock = new ManualClock();

function moduleRefOf(cache?: object, asked: unknown[][] = []): ModuleRef {
  const get = (...args: unknown[]): unknown => {
    asked.push(args);
    const [token] = args;
    if (cache && token === 'CACHE_MANAGER') {
      return cache;
    }
    throw new Error('unknown element');
  };
  return { get } as unknown as ModuleRef;
}

function create(input: TaskQueueSettingsInput, moduleRef = moduleRefOf()) {
  const { settings } = parseSettings({ brokerUrl: 'memory://', ...input }, { source: 'test' });
  const brokerOptions: BrokerOptions = {
    url: settings.brokerUrl!,
    leaseDuration: 30_000,
    connectionTimeout: 100,
    clock,
    logger: { debug() {}, log() {}, warn() {}, error() {} },
    transportOptions: {},
  };
  const broker = new MemoryBroker({ clock, leaseDuration: 30_000 });
  return createResultBackend(settings, broker, brokerOptions, moduleRef);
}

describe('createResultBackend', () => {
  it('keeps results with the broker by default', async () => {
    const backend = await create({});
    expect(backend).toBeInstanceOf(BrokerStoreBackend);
    expect(backend).toMatchObject({ inBroker: true, description: 'memory://' });
  });

  it("keeps results with the broker when it is the broker's server", async () => {
    const backend = await create({
      brokerUrl: 'redis://:pw@host.invalid/0',
      resultBackend: 'redis://:pw@host.invalid/1',
    });
    expect(backend.inBroker).toBe(true);
  });

  it('opens a Redis of its own, and closes it', async () => {
    const backend = await create({ resultBackend: 'redis://:hunter2@host.invalid/1' });
    expect(backend).toBeInstanceOf(RedisBackend);
    expect(backend).toMatchObject({
      inBroker: false,
      description: 'redis://host.invalid:6379/1',
    });
    await backend.close();
  });

  it("uses the application's cache, which it looks for only when it is needed", async () => {
    const values = new Map<string, unknown>();
    const cache = {
      get: async (key: string) => values.get(key),
      set: async (key: string, value: unknown) => values.set(key, value),
      del: async (key: string) => values.delete(key),
    };
    const asked: unknown[][] = [];
    const moduleRef = moduleRefOf(cache, asked);
    const backend = await create({ resultBackend: 'cache' }, moduleRef);
    expect(backend).toBeInstanceOf(CacheBackend);
    expect(asked).toEqual([]);

    await backend.store({ id: 'x', status: 'SUCCESS', payload: '{"status":"SUCCESS"}', ttl: null });
    expect(await backend.get('x')).toBe('{"status":"SUCCESS"}');
    await backend.forget('x');
    expect(await backend.get('x')).toBeUndefined();
    expect(asked).toEqual([['CACHE_MANAGER', { strict: false }]]);
  });
});

describe('findCache', () => {
  it('says what to import when there is none', () => {
    expect(() => findCache(moduleRefOf())).toThrow(ImproperlyConfigured);
    expect(() => findCache(moduleRefOf())).toThrow(/Import CacheModule\.register\(/);
  });
});
