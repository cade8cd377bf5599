import { describe, expect, it } from '@jest/globals';

import { EagerResult } from './eager.result.js';
import type { ResultServices } from './result-services.interface.js';
import type { TaskMeta } from './task-meta.interface.js';

function eager(status: string, result: unknown): EagerResult {
  const meta: TaskMeta = {
    status,
    result,
    traceback: null,
    children: [],
    date_done: '2026-01-01T00:00:00.000+00:00',
    task_id: 'e1',
    name: 'app.add',
  };
  // It asks no service for anything.
  return new EagerResult(meta, {} as ResultServices);
}

describe('EagerResult', () => {
  it('holds the very value', async () => {
    const value = { deep: () => 1 };
    const result = eager('SUCCESS', value);
    expect(result.id).toBe('e1');
    expect(await result.get()).toBe(value);
    expect(await result.info()).toBe(value);
    expect(await result.state()).toBe('SUCCESS');
    expect(await result.ready()).toBe(true);
    expect(await result.successful()).toBe(true);
    expect(await result.exists()).toBe(true);
    expect(await result.name()).toBe('app.add');
    expect(await result.dateDone()).toEqual(new Date(Date.UTC(2026, 0, 1)));
  });

  it('throws the very error', async () => {
    const error = new RangeError('r');
    const result = eager('FAILURE', error);
    await expect(result.get()).rejects.toBe(error);
    expect(await result.get({ propagate: false })).toBe(error);
    expect(await result.failed()).toBe(true);
  });

  it.each(['IGNORED', 'REJECTED'])('gives null for %s', async (status) => {
    expect(await eager(status, new Error('x')).get()).toBeNull();
    expect(await eager(status, new Error('x')).ready()).toBe(true);
  });

  it('stays when it is forgotten', async () => {
    const result = eager('SUCCESS', 1);
    await result.forget();
    expect(await result.get()).toBe(1);
  });

  it('tells its outcome to onMessage, unless that was ended', async () => {
    const seen: TaskMeta[] = [];
    const result = eager('SUCCESS', 1);
    result.onMessage((meta) => seen.push(meta));
    result.onMessage((meta) => seen.push(meta))();
    await Promise.resolve();
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ status: 'SUCCESS', result: 1 });
  });
});
