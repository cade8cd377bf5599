import { describe, expect, it } from '@jest/globals';

import { OperationalError } from '../errors/task-queue.errors.js';
import { CacheBackend, type ResultCache } from './cache.backend.js';

/** A cache that remembers what it was asked. */
function makeCache(): { cache: ResultCache; sets: unknown[][]; values: Map<string, unknown> } {
  const values = new Map<string, unknown>();
  const sets: unknown[][] = [];
  const cache: ResultCache = {
    get: async <T>(key: string) => values.get(key) as T | undefined,
    set: async (...call) => {
      sets.push(call);
      values.set(call[0], call[1]);
    },
    del: async (key) => values.delete(key),
  };
  return { cache, sets, values };
}

const record = { id: 'a', status: 'SUCCESS', payload: '{"status":"SUCCESS"}', ttl: 5_000 };

describe('CacheBackend', () => {
  it("uses Celery's keys, and 0 for what is kept for ever", async () => {
    const { cache, sets } = makeCache();
    const backend = new CacheBackend(cache);
    await backend.store(record);
    await backend.store({ ...record, id: 'b', ttl: null });
    await backend.saveGroup('g', '{}', null);
    expect(sets).toEqual([
      ['celery-task-meta-a', record.payload, 5_000],
      ['celery-task-meta-b', record.payload, 0],
      ['celery-taskset-meta-g', '{}', 0],
    ]);
  });

  it('takes what is no text for nothing', async () => {
    const { cache, values } = makeCache();
    const backend = new CacheBackend(cache);
    values.set('celery-task-meta-a', { status: 'SUCCESS' });
    expect(await backend.get('a')).toBeUndefined();
    values.set('celery-task-meta-a', null);
    expect(await backend.get('a')).toBeUndefined();
    expect(await backend.store(record)).toBe(true);
  });

  it("knows a final state in Python's spacing", async () => {
    const { cache, values } = makeCache();
    values.set('celery-task-meta-a', '{ "status" : "FAILURE", "result": null}');
    expect(await new CacheBackend(cache).store(record)).toBe(false);
  });

  it('says what is wrong when the cache refuses, and goes on with the next call', async () => {
    const { cache, values } = makeCache();
    let isAway = true;
    const backend = new CacheBackend({
      ...cache,
      get: async <T>(key: string) => {
        if (isAway) throw new Error('connection reset');
        return values.get(key) as T | undefined;
      },
    });
    const outcomes = await Promise.allSettled([backend.store(record), backend.get('a')]);
    expect(outcomes.map((outcome) => (outcome as PromiseRejectedResult).reason)).toEqual([
      expect.any(OperationalError),
      expect.any(OperationalError),
    ]);
    isAway = false;
    expect(await backend.store(record)).toBe(true);
  });
});
