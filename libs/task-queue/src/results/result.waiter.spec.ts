import { describe, expect, it } from '@jest/globals';

import type { ResultListener } from '../brokers/broker.port.js';
import { ManualClock } from '../clock/manual.clock.js';
import { DecodeError, OperationalError, TimeoutError } from '../errors/task-queue.errors.js';
import type { ResultBackend } from './result-backend.port.js';
import { ResultWaiter } from './result.waiter.js';
import { encodeMeta } from './task-meta.codec.js';
import type { TaskMeta } from './task-meta.interface.js';

function text(status: string, result: unknown = null, id = 'a'): string {
  return encodeMeta({
    status,
    result,
    traceback: null,
    children: [],
    date_done: null,
    task_id: id,
  });
}

/** A broker and a store that do as they are told. */
class Store {
  readonly calls: string[] = [];
  readonly texts = new Map<string, string>();
  watchError: Error | undefined;
  getError: Error | undefined;
  beforeGet: () => void = () => undefined;
  listener: ResultListener = () => undefined;
  readonly clock = new ManualClock();
  readonly waiter: ResultWaiter;

  constructor() {
    this.waiter = new ResultWaiter(
      {
        watch: async (id) => {
          this.calls.push(`watch ${id}`);
          if (this.watchError) throw this.watchError;
        },
        unwatch: async (id) => {
          this.calls.push(`unwatch ${id}`);
        },
        onResult: (listener) => {
          this.listener = listener;
        },
      },
      {
        get: async (id: string) => {
          this.calls.push(`get ${id}`);
          this.beforeGet();
          if (this.getError) throw this.getError;
          return this.texts.get(id);
        },
      } as unknown as ResultBackend,
      this.clock,
    );
  }

  /** Lets everything run that does not wait for the clock. */
  settle(): Promise<void> {
    return this.clock.advanceAsync(0);
  }

  /** Whether nothing is left: no watch, no timer. */
  get isClean(): boolean {
    return (
      this.waiter.size === 0 &&
      this.clock.pendingTimers === 0 &&
      this.calls.filter((call) => call.startsWith('watch')).length ===
        this.calls.filter((call) => call.startsWith('unwatch')).length
    );
  }
}

/** What a promise rejects with; taken hold of at once, so that nobody finds it unhandled. */
function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => new Error(`It resolved with ${String(value)}.`),
    (error: unknown) => error,
  );
}

describe('ResultWaiter', () => {
  it('watches, then looks, then leaves', async () => {
    const store = new Store();
    store.texts.set('a', text('SUCCESS', 5));
    expect(await store.waiter.wait('a')).toMatchObject({ status: 'SUCCESS', result: 5 });
    await store.settle();
    expect(store.calls).toEqual(['watch a', 'get a', 'unwatch a']);
    expect(store.isClean).toBe(true);
  });

  it('takes the final state out of the notification', async () => {
    const store = new Store();
    const wait = store.waiter.wait('a');
    await store.settle();
    store.listener('a', text('STARTED'));
    store.listener('a', text('SUCCESS', 7));
    expect(await wait).toMatchObject({ result: 7 });
    await store.settle();
    expect(store.calls).toEqual(['watch a', 'get a', 'unwatch a']);
  });

  it('reads the store when the notification has no text', async () => {
    const store = new Store();
    const wait = store.waiter.wait('a');
    await store.settle();
    store.listener('a', undefined);
    await store.settle();
    store.texts.set('a', text('FAILURE'));
    store.listener('a', undefined);
    expect(await wait).toMatchObject({ status: 'FAILURE' });
    await store.settle();
    expect(store.isClean).toBe(true);
  });

  it('hears what is stored between the watch and the look', async () => {
    const store = new Store();
    store.beforeGet = () => store.listener('a', text('SUCCESS', 1));
    expect(await store.waiter.wait('a')).toMatchObject({ result: 1 });
  });

  it('shares one watch among all waits for an id', async () => {
    const store = new Store();
    const waits = Array.from({ length: 100 }, () => store.waiter.wait('a', { timeout: 9 }));
    await store.settle();
    waits.push(store.waiter.wait('a'));
    store.listener('a', text('SUCCESS', 3));
    const metas = await Promise.all(waits);
    expect(metas.map(({ result }) => result)).toEqual(Array(101).fill(3));
    await store.settle();
    expect(store.calls).toEqual(['watch a', 'get a', 'unwatch a']);
    expect(store.isClean).toBe(true);
  });

  it('ends with TimeoutError in time, and leaves nothing behind', async () => {
    const store = new Store();
    const wait = store.waiter.wait('a', { timeout: 1.5 });
    const outcome = errorOf(wait);
    await store.clock.advanceAsync(1_499);
    expect(store.waiter.size).toBe(1);
    await store.clock.advanceAsync(1);
    expect(await outcome).toEqual(new TimeoutError('The operation timed out.'));
    await store.settle();
    expect(store.isClean).toBe(true);
  });

  it('does not end the wait of another when one gives up', async () => {
    const store = new Store();
    const impatient = errorOf(store.waiter.wait('a', { timeout: 1 }));
    const patient = store.waiter.wait('a');
    await store.clock.advanceAsync(1_000);
    expect(await impatient).toBeInstanceOf(TimeoutError);
    expect(store.calls).toEqual(['watch a', 'get a']);
    store.listener('a', text('SUCCESS', 1));
    expect(await patient).toMatchObject({ result: 1 });
  });

  it('looks once with a timeout of 0', async () => {
    const store = new Store();
    await expect(store.waiter.wait('a', { timeout: 0 })).rejects.toThrow(TimeoutError);
    store.texts.set('a', text('SUCCESS'));
    expect(await store.waiter.wait('a', { timeout: 0 })).toMatchObject({ status: 'SUCCESS' });
    await store.settle();
    expect(store.isClean).toBe(true);
  });

  it('looks once with a timeout of 0 also where somebody waits already', async () => {
    const store = new Store();
    const patient = store.waiter.wait('a');
    await store.settle();
    await expect(store.waiter.wait('a', { timeout: 0 })).rejects.toThrow(TimeoutError);
    store.listener('a', text('SUCCESS'));
    await patient;
  });

  it.each([-1, Number.NaN])('refuses the timeout %p', async (timeout) => {
    await expect(new Store().waiter.wait('a', { timeout })).rejects.toThrow(RangeError);
  });

  it.each([undefined, null, Number.POSITIVE_INFINITY])(
    'sets no timer for the timeout %p',
    async (timeout) => {
      const store = new Store();
      const wait = store.waiter.wait('a', { timeout });
      await store.settle();
      expect(store.clock.pendingTimers).toBe(0);
      store.listener('a', text('SUCCESS'));
      await wait;
    },
  );

  it('gives up when the signal aborts, with its reason', async () => {
    const store = new Store();
    const controller = new AbortController();
    const outcome = errorOf(store.waiter.wait('a', { signal: controller.signal, timeout: 9 }));
    await store.settle();
    controller.abort(new Error('enough'));
    expect(await outcome).toMatchObject({ message: 'enough' });
    await store.settle();
    expect(store.isClean).toBe(true);
  });

  it('asks nothing when the signal is aborted already', async () => {
    const store = new Store();
    await expect(
      store.waiter.wait('a', { signal: AbortSignal.abort(new Error('no')) }),
    ).rejects.toThrow('no');
    expect(store.calls).toEqual([]);
  });

  it.each(['watchError', 'getError'] as const)(
    'passes on a %s, and may be asked again',
    async (key) => {
      const store = new Store();
      store[key] = new OperationalError('away');
      const waits = [store.waiter.wait('a', { timeout: 5 }), store.waiter.wait('a')];
      const outcomes = await Promise.allSettled(waits);
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      await expect(waits[0]).rejects.toThrow('away');
      expect(store.clock.pendingTimers).toBe(0);
      expect(store.waiter.size).toBe(0);
      store[key] = undefined;
      store.texts.set('a', text('SUCCESS'));
      expect(await store.waiter.wait('a')).toMatchObject({ status: 'SUCCESS' });
    },
  );

  it('ends with DecodeError when what is stored is no result', async () => {
    const store = new Store();
    store.texts.set('a', 'garbage');
    await expect(store.waiter.wait('a')).rejects.toThrow(DecodeError);
    await store.settle();
    expect(store.isClean).toBe(true);
  });

  it('begins a new watch only after the old one of the same id has ended', async () => {
    const store = new Store();
    store.texts.set('a', text('SUCCESS'));
    await store.waiter.wait('a');
    await store.waiter.wait('a');
    await store.settle();
    expect(store.calls).toEqual(['watch a', 'get a', 'unwatch a', 'watch a', 'get a', 'unwatch a']);
  });

  it('ignores the word of an id that nobody waits for', async () => {
    const store = new Store();
    store.listener('b', text('SUCCESS'));
    store.listener('b', undefined);
    await store.settle();
    expect(store.calls).toEqual([]);
  });

  it('gives up everything on close', async () => {
    const store = new Store();
    const outcome = errorOf(store.waiter.wait('a', { timeout: 9 }));
    await store.settle();
    await store.waiter.close();
    expect(await outcome).toMatchObject({
      message: expect.stringMatching(/given up: the client was closed/),
    });
    expect(store.isClean).toBe(true);
    await expect(store.waiter.wait('a')).rejects.toThrow(OperationalError);
  });
});

describe('ResultWaiter.subscribe', () => {
  function collect(
    store: Store,
    id = 'a',
  ): { metas: TaskMeta[]; errors: Error[]; end: () => void } {
    const metas: TaskMeta[] = [];
    const errors: Error[] = [];
    const end = store.waiter.subscribe(id, {
      onMeta: (meta) => metas.push(meta),
      onError: (error) => errors.push(error),
    });
    return { metas, errors, end };
  }

  it('tells each state once, and ends with the final one', async () => {
    const store = new Store();
    store.texts.set('a', text('STARTED'));
    const { metas } = collect(store);
    await store.settle();
    store.listener('a', text('STARTED'));
    store.listener('a', text('PROGRESS', 1));
    store.listener('a', text('PROGRESS', 2));
    store.listener('a', text('SUCCESS', 3));
    store.listener('a', text('PROGRESS', 4));
    expect(metas.map(({ result, status }) => [status, result])).toEqual([
      ['STARTED', null],
      ['PROGRESS', 1],
      ['PROGRESS', 2],
      ['SUCCESS', 3],
    ]);
    await store.settle();
    expect(store.isClean).toBe(true);
  });

  it('tells who comes later what was seen last', async () => {
    const store = new Store();
    const first = collect(store);
    await store.settle();
    store.listener('a', text('PROGRESS', 1));
    const second = collect(store);
    expect(second.metas).toEqual([]);
    await store.settle();
    expect(second.metas).toHaveLength(1);
    expect(first.metas).toHaveLength(1);
    first.end();
    second.end();
    second.end();
    await store.settle();
    expect(store.isClean).toBe(true);
  });

  it('tells nothing after it was ended', async () => {
    const store = new Store();
    store.texts.set('a', text('SUCCESS'));
    const { metas, end } = collect(store);
    end();
    await store.settle();
    expect(metas).toEqual([]);
    expect(store.isClean).toBe(true);
  });

  it('tells of an error', async () => {
    const store = new Store();
    store.getError = new OperationalError('away');
    const { errors } = collect(store);
    await store.settle();
    expect(errors).toEqual([store.getError]);
  });
});
