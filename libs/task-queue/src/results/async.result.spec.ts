import { inspect } from 'node:util';

import { describe, expect, it, jest } from '@jest/globals';

import { MemoryBroker } from '../brokers/memory/index.js';
import { ManualClock } from '../clock/manual.clock.js';
import {
  EncodeError,
  TaskFailure,
  TaskQueueError,
  TaskRevokedError,
  TimeoutError,
} from '../errors/task-queue.errors.js';
import { AsyncResult } from './async.result.js';
import { BrokerStoreBackend } from './broker-store.backend.js';
import { knownErrorClasses } from './error-classes.js';
import { ResultRecorder } from './result.recorder.js';
import type { ResultServices } from './result-services.interface.js';
import { ResultWaiter } from './result.waiter.js';
import { encodeMeta } from './task-meta.codec.js';
import type { TaskMeta } from './task-meta.interface.js';

class QuotaError extends Error {
  constructor(
    readonly quota: number,
    readonly left: number,
  ) {
    super(`over ${quota}`);
  }

  percent(): number {
    return (this.left / this.quota) * 100;
  }
}

/** One process with a store of its own. */
class Process {
  readonly clock = new ManualClock(Date.UTC(2026, 0, 1));
  readonly broker = new MemoryBroker({ clock: this.clock, leaseDuration: 30_000 });
  readonly backend = new BrokerStoreBackend(this.broker);
  readonly waiter = new ResultWaiter(this.broker, this.backend, this.clock);
  readonly warnings: string[] = [];
  readonly recorder = new ResultRecorder(
    {
      taskIgnoreResult: false,
      taskStoreErrorsEvenIfIgnored: false,
      taskTrackStarted: true,
      resultExtended: true,
      resultExpires: null,
      resultMaxPayloadBytes: 100_000,
    },
    this.clock,
  );
  readonly request = {
    id: 'a',
    task: 'app.add',
    args: [2, 3],
    kwargs: { z: 1 },
    retries: 2,
    hostname: 'celery@host',
    deliveryInfo: { routingKey: 'mail' },
  };
  isInsideTask = false;
  readonly services: ResultServices = {
    backend: this.backend,
    waiter: this.waiter,
    locate: (id) => this.broker.locate(id),
    revoke: (id) => this.broker.revoke(id, undefined, 60_000),
    errorClasses: () => knownErrorClasses([QuotaError]),
    insideTask: () => this.isInsideTask,
    warn: (message) => this.warnings.push(message),
  };

  result<R = unknown>(id = 'a', options: { ignored?: boolean } = {}): AsyncResult<R> {
    return new AsyncResult<R>(id, this.services, options);
  }

  async succeed(value: unknown): Promise<void> {
    await this.backend.store(this.recorder.success(this.request, value)!);
  }

  async fail(error: unknown): Promise<void> {
    await this.backend.store(this.recorder.failure(this.request, error)!);
  }
}

/** What a promise rejects with; taken hold of at once, so that nobody finds it unhandled. */
function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => new Error(`It resolved with ${String(value)}.`),
    (error: unknown) => error,
  );
}

describe('AsyncResult.get', () => {
  it('resolves with the value, now and later', async () => {
    const process = new Process();
    const later = process.result<number>().get();
    await process.succeed(5);
    expect(await later).toBe(5);
    expect(await process.result().get({ timeout: 0 })).toBe(5);
  });

  it('keeps typed values', async () => {
    const process = new Process();
    await process.succeed({ at: new Date(7), ids: new Set([1n]) });
    expect(await process.result().get()).toEqual({ at: new Date(7), ids: new Set([1n]) });
  });

  it('throws an error of its own class where the class is known', async () => {
    const process = new Process();
    await process.fail(new QuotaError(10, 5));
    const result = process.result();
    const error = await result.get().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(QuotaError);
    expect(error).toMatchObject({ message: 'over 10', quota: 10, left: 5 });
    expect((error as QuotaError).percent()).toBe(50);
    expect((error as Error).stack).toContain('async.result.spec');
    await expect(result.get()).rejects.toBe(error);
  });

  it.each([
    [new RangeError('r'), RangeError],
    [new EncodeError('e', 'args'), EncodeError],
  ])('knows the built-ins and our own: %p', async (thrown, errorClass) => {
    const process = new Process();
    await process.fail(thrown);
    await expect(process.result().get()).rejects.toBeInstanceOf(errorClass);
  });

  it('throws a TaskFailure of the name for another class', async () => {
    class Secret extends Error {}
    const process = new Process();
    await process.fail(new Secret('s'));
    const error = await process
      .result()
      .get()
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TaskFailure);
    expect(error).toMatchObject({ name: 'Secret', message: 's' });
  });

  it('reads a failure of Python', async () => {
    const process = new Process();
    await process.backend.store({
      id: 'a',
      status: 'FAILURE',
      payload:
        '{"status":"FAILURE", "result": {"exc_type": "KeyError", "exc_message": ["k"], ' +
        '"exc_module": "builtins"}, "traceback": "Traceback (most recent call last)", "task_id": "a"}',
      ttl: null,
    });
    const error = await process
      .result()
      .get()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      name: 'KeyError',
      message: 'k',
      stack: 'Traceback (most recent call last)',
    });
  });

  it.each(['revoked', 'expired', 'terminated'] as const)(
    'throws TaskRevokedError: %s',
    async (reason) => {
      const process = new Process();
      await process.backend.store(process.recorder.revoked('a', reason)!);
      const error = await process
        .result()
        .get()
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TaskRevokedError);
      expect((error as Error).message).toBe(reason);
    },
  );

  it('resolves with the error where it is not to be thrown', async () => {
    const process = new Process();
    await process.fail(new RangeError('r'));
    expect(await process.result().get({ propagate: false })).toBeInstanceOf(RangeError);
  });

  it('ends with TimeoutError; the task goes on', async () => {
    const process = new Process();
    const result = process.result();
    const outcome = errorOf(result.get({ timeout: 2 }));
    await process.clock.advanceAsync(2_000);
    expect(await outcome).toEqual(new TimeoutError('The operation timed out.'));
    await process.succeed(1);
    expect(await result.get()).toBe(1);
  });

  it('resolves with null at once when the result is ignored, without a subscription', async () => {
    const process = new Process();
    process.isInsideTask = true;
    const watch = jest.spyOn(process.broker, 'watch');
    const result = process.result('a', { ignored: true });
    result.onMessage(() => undefined)();
    expect(await result.get()).toBeNull();
    expect(watch).not.toHaveBeenCalled();
  });

  it('is refused inside a task', async () => {
    const process = new Process();
    process.isInsideTask = true;
    const result = process.result();
    await expect(result.get()).rejects.toThrow(/^Never call result\.get\(\) within a task!/);
    await expect(result.get()).rejects.toBeInstanceOf(TaskQueueError);
    await process.succeed(1);
    expect(await result.get({ disableSyncSubtasks: false })).toBe(1);
    // It is known now, and nothing has to be waited for.
    expect(await result.get()).toBe(1);
  });
});

describe('AsyncResult', () => {
  it('reads PENDING of an id that nothing is known of', async () => {
    const result = new Process().result();
    expect(await result.state()).toBe('PENDING');
    expect(await result.info()).toBeNull();
    expect(await result.ready()).toBe(false);
    expect(await result.successful()).toBe(false);
    expect(await result.failed()).toBe(false);
    expect(await result.exists()).toBe(false);
    expect(await result.traceback()).toBeNull();
    expect(await result.dateDone()).toBeNull();
    expect(await result.children()).toEqual([]);
    expect(await result.name()).toBeNull();
    expect(await result.args()).toBeNull();
    expect(await result.kwargs()).toBeNull();
    expect(await result.worker()).toBeNull();
    expect(await result.retries()).toBeNull();
    expect(await result.queue()).toBeNull();
  });

  it('tells a task that waits from an unknown one', async () => {
    const process = new Process();
    await process.broker.publish([{ id: 'a', name: 'app.add', queue: 'mail', data: '{}' }]);
    expect(await process.result().exists()).toBe(true);
    expect(await process.result().state()).toBe('PENDING');
    await process.broker.purge('mail');
    expect(await process.result().exists()).toBe(false);
  });

  it('has all that is stored of a success', async () => {
    const process = new Process();
    await process.succeed(5);
    const result = process.result();
    expect(await result.state()).toBe('SUCCESS');
    expect(await result.status()).toBe('SUCCESS');
    expect(await result.info()).toBe(5);
    expect(await result.result()).toBe(5);
    expect(await result.ready()).toBe(true);
    expect(await result.successful()).toBe(true);
    expect(await result.failed()).toBe(false);
    expect(await result.exists()).toBe(true);
    expect(await result.dateDone()).toEqual(new Date(Date.UTC(2026, 0, 1)));
    expect(await result.name()).toBe('app.add');
    expect(await result.args()).toEqual([2, 3]);
    expect(await result.kwargs()).toEqual({ z: 1 });
    expect(await result.worker()).toBe('celery@host');
    expect(await result.retries()).toBe(2);
    expect(await result.queue()).toBe('mail');
  });

  it('has all that is stored of a failure', async () => {
    const process = new Process();
    await process.fail(new RangeError('r'));
    const result = process.result();
    expect(await result.state()).toBe('FAILURE');
    expect(await result.failed()).toBe(true);
    expect(await result.ready()).toBe(true);
    expect(await result.successful()).toBe(false);
    expect(await result.info()).toBeInstanceOf(RangeError);
    expect(await result.traceback()).toContain('RangeError: r');
  });

  it('is neither successful nor failed when revoked, as in Celery', async () => {
    const process = new Process();
    await process.backend.store(process.recorder.revoked('a', 'revoked')!);
    const result = process.result();
    expect(await result.ready()).toBe(true);
    expect(await result.successful()).toBe(false);
    expect(await result.failed()).toBe(false);
    expect(await result.info()).toBeInstanceOf(TaskRevokedError);
  });

  it('reads states that are not final anew, and a final one once', async () => {
    const process = new Process();
    const result = process.result();
    const by = { pid: 1, hostname: 'celery@host' };
    await process.backend.store(process.recorder.started(process.request, by)!);
    expect(await result.info()).toEqual(by);
    await process.backend.store(process.recorder.custom(process.request, 'PROGRESS', 'half')!);
    expect(await result.state()).toBe('PROGRESS');
    expect(await result.info()).toBe('half');
    await process.succeed(1);
    expect(await result.state()).toBe('SUCCESS');
    const get = jest.spyOn(process.backend, 'get');
    await result.state();
    await result.get();
    expect(get).not.toHaveBeenCalled();
  });

  it('has the error of a task that is retried', async () => {
    const process = new Process();
    const payload = encodeMeta({
      status: 'RETRY',
      result: { exc_type: 'RangeError', exc_message: ['once more'], exc_module: 'builtins' },
      traceback: null,
      children: [],
      date_done: null,
      task_id: 'a',
    });
    await process.backend.store({ id: 'a', status: 'RETRY', payload, ttl: null });
    expect(await process.result().info()).toBeInstanceOf(RangeError);
    expect(await process.result().ready()).toBe(false);
  });

  it('is forgotten, and its parents', async () => {
    const process = new Process();
    await process.succeed(1);
    const parent = new AsyncResult('p', process.services);
    await process.backend.store({ ...process.recorder.success(process.request, 1)!, id: 'p' });
    const result = new AsyncResult('a', process.services, { parent });
    await result.get();
    await result.forget();
    expect(await result.state()).toBe('PENDING');
    expect(await parent.state()).toBe('PENDING');
    expect(await result.exists()).toBe(false);
  });

  it('has its children as handles', async () => {
    const process = new Process();
    const payload = encodeMeta({
      status: 'SUCCESS',
      result: null,
      traceback: null,
      children: [[['c', null], null]],
      date_done: null,
      task_id: 'a',
    });
    await process.backend.store({ id: 'a', status: 'SUCCESS', payload, ttl: null });
    const children = await process.result().children();
    expect(children.map(({ id }) => id)).toEqual(['c']);
  });

  it('tells each state to onMessage until the final one', async () => {
    const process = new Process();
    const metas: TaskMeta[] = [];
    process.result().onMessage((meta) => metas.push(meta));
    await process.clock.advanceAsync(0);
    await process.backend.store(process.recorder.custom(process.request, 'PROGRESS', 1)!);
    await process.clock.advanceAsync(0);
    await process.succeed(2);
    await process.clock.advanceAsync(0);
    expect(metas.map(({ status }) => status)).toEqual(['PROGRESS', 'SUCCESS']);
    expect(process.waiter.size).toBe(0);
  });

  it('warns of a callback that throws, and goes on', async () => {
    const process = new Process();
    const result = process.result();
    result.onMessage(() => {
      throw new Error('oops');
    });
    const wait = result.get();
    await process.succeed(2);
    expect(await wait).toBe(2);
    expect(process.warnings).toEqual(['A callback of onMessage() for task a threw: Error: oops']);
  });

  it('warns when onMessage ends early', async () => {
    const process = new Process();
    process.result().onMessage(() => undefined);
    await process.waiter.close();
    expect(process.warnings).toHaveLength(1);
  });

  it('shows itself by its id', () => {
    const { services } = new Process();
    const parent = new AsyncResult('p', services);
    const result = new AsyncResult('a', services, { parent });
    expect(String(result)).toBe('a');
    expect(JSON.stringify(result)).toBe('[["a",[["p",null],null]],null]');
    expect(inspect(result)).toBe('<AsyncResult: a>');
  });

  it('is no promise: awaiting it gives the handle', async () => {
    const result = new Process().result();
    expect(await Promise.resolve(result)).toBe(result);
  });
});
