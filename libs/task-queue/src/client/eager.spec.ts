import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, describe, expect, it } from '@jest/globals';

import { MemoryBroker } from '../brokers/memory/index.js';
import { ManualClock } from '../clock/manual.clock.js';
import {
  EncodeError,
  Ignore,
  MaxRetriesExceededError,
  NotRegistered,
  Reject,
} from '../errors/task-queue.errors.js';
import { BrokerStoreBackend, EagerResult } from '../results/index.js';
import { parseSettings, type TaskQueueSettingsInput } from '../settings/index.js';
import {
  SharedTask,
  TaskContext,
  TaskExplorer,
  TaskInvoker,
  TaskMetadataAccessor,
  TaskNamespace,
  TaskRegistry,
} from '../tasks/index.js';
import { TaskClient } from './task.client.js';

class Broken extends Error {}

@TaskNamespace('app')
class Tasks {
  @SharedTask()
  add(x: number, y: number): number {
    return x + y;
  }

  @SharedTask()
  kind(value: unknown): string {
    return Object.prototype.toString.call(value);
  }

  @SharedTask()
  fail(): void {
    throw new Broken('no');
  }

  @SharedTask()
  ignore(): void {
    throw new Ignore('nothing to see');
  }

  @SharedTask()
  reject(): void {
    throw new Reject('not mine');
  }

  @SharedTask({ bind: true })
  request(self: TaskContext, pdf?: { pdf: boolean }) {
    return { ...self.request.toJSON(), pdf, isCurrent: TaskContext.current() === self };
  }

  /** Succeeds in its third run. */
  @SharedTask({ bind: true, defaultRetryDelay: 3600 })
  flaky(self: TaskContext, key: string, seen: string[]): unknown {
    const { expires, headers, id, parentId, retries, rootId } = self.request;
    seen.push(`${key}${retries}`);
    if (retries < 2) {
      self.retry({ exc: new Broken('not yet'), args: [key, seen], headers: { retries } });
    }
    return { seen, id, parentId, rootId, expires, headers };
  }

  @SharedTask({ bind: true, maxRetries: 1 })
  hopeless(self: TaskContext): void {
    self.retry();
  }

  @SharedTask({ autoretryFor: [Broken], retryBackoff: 60, maxRetries: 2 })
  async automatic(): Promise<void> {
    throw new Broken(`run ${TaskContext.current()?.request.retries}`);
  }

  @SharedTask({ bind: true })
  async progress(self: TaskContext): Promise<() => number> {
    await self.updateState('PROGRESS', { current: 1 });
    return () => 1;
  }

  @SharedTask({ ignoreResult: true })
  silent(): number {
    return 7;
  }
}

class Elsewhere {
  @SharedTask()
  far(): void {}
}

@Module({
  imports: [DiscoveryModule],
  providers: [Tasks, TaskRegistry, TaskExplorer, TaskInvoker, TaskMetadataAccessor],
})
class TestModule {}

let app: TestingModule | undefined;
let broker: MemoryBroker;
let warnings: string[];

async function start(settings: TaskQueueSettingsInput = {}): Promise<TaskClient> {
  app = await Test.createTestingModule({ imports: [TestModule] }).compile();
  await app.init();
  app.get(TaskExplorer).explore();
  const clock = new ManualClock(Date.UTC(2026, 0, 1));
  broker = new MemoryBroker({ clock, leaseDuration: 30_000 });
  warnings = [];
  return new TaskClient({
    settings: parseSettings({ brokerUrl: 'memory://', ...settings }, { source: 'test' }).settings,
    broker,
    backend: new BrokerStoreBackend(broker),
    registry: app.get(TaskRegistry),
    clock,
    logger: { warn: (message) => warnings.push(message) },
  });
}

afterEach(async () => {
  await broker.close();
  await app?.close();
});

describe('apply', () => {
  it('runs the task here, and publishes nothing', async () => {
    const client = await start();
    const result = await client.of(Tasks).add.apply([2, 3]);
    expect(result).toBeInstanceOf(EagerResult);
    expect(await result.get()).toBe(5);
    expect(await result.state()).toBe('SUCCESS');
    expect(await broker.queues()).toEqual([]);
  });

  it('takes the arguments through JSON', async () => {
    const client = await start();
    const kinds = client.of(Tasks).kind;
    expect(await (await kinds.apply([new Date()])).get()).toBe('[object Date]');
    class Point {
      x = 1;
    }
    expect(await (await kinds.apply([new Point()])).get()).toBe('[object Object]');
    await expect(kinds.apply([() => 1])).rejects.toThrow(EncodeError);
  });

  it('has a context that says what it is', async () => {
    const client = await start();
    const { request } = client.of(Tasks);
    const options = { kwargs: { pdf: true }, taskId: 'mine', queue: 'mail', headers: { a: 1 } };
    const value = await (await request.apply([], options)).get();
    expect(value).toMatchObject({
      id: 'mine',
      task: 'app.request',
      rootId: 'mine',
      parentId: null,
      isEager: true,
      isCurrent: true,
      headers: { a: 1 },
      deliveryInfo: { routingKey: 'mail' },
      kwargs: { pdf: true },
      pdf: { pdf: true },
    });
  });

  it('keeps the error in the result, or throws it', async () => {
    const client = await start();
    const { fail } = client.of(Tasks);
    const result = await fail.apply();
    expect(await result.state()).toBe('FAILURE');
    expect(await result.traceback()).toContain('Tasks.fail');
    await expect(result.get()).rejects.toBeInstanceOf(Broken);
    await expect(fail.apply([], { throw: true })).rejects.toBeInstanceOf(Broken);
  });

  it.each(['ignore', 'reject'] as const)('ends %s without an error', async (method) => {
    const client = await start();
    const result = await client.of(Tasks)[method].apply();
    expect(await result.state()).toBe(method === 'ignore' ? 'IGNORED' : 'REJECTED');
    expect(await result.get()).toBeNull();
  });

  it('runs a task again that is retried, at once, under its id', async () => {
    const client = await start();
    const options = { taskId: 'mine', headers: { tenant: 'a' } };
    const result = await client.of(Tasks).flaky.apply(['x', []], options);
    expect(await result.get()).toMatchObject({
      id: 'mine',
      rootId: 'mine',
      parentId: null,
      seen: ['x0', 'x1', 'x2'],
      headers: { tenant: 'a', retries: 1 },
    });
    expect(await result.retries()).toBe(2);
  });

  it('counts retries as a worker does, and ends with the original error', async () => {
    const client = await start();
    const { automatic, hopeless } = client.of(Tasks);
    await expect((await automatic.apply()).get()).rejects.toThrow(new Broken('run 2'));
    const exceeded = await hopeless.apply([], { taskId: 'mine' });
    await expect(exceeded.get()).rejects.toThrow(MaxRetriesExceededError);
    await expect(exceeded.get()).rejects.toThrow(
      "Can't retry app.hopeless[mine] args:() kwargs:{}",
    );
  });

  it('counts the arguments, and knows only tasks of this process', async () => {
    const client = await start();
    await expect(client.task('app.add').apply([1])).rejects.toThrow(
      /^add\(\) missing 1 required positional argument: 'y'/,
    );
    await expect(client.of(Elsewhere).far.apply()).rejects.toThrow(NotRegistered);
  });
});

describe('by name, of a task that is provided here', () => {
  it('counts the arguments at the call, except with sendTask', async () => {
    const client = await start();
    await expect(client.delay('app.add', 5)).rejects.toThrow(TypeError);
    await expect(client.delay('app.add', 5, 5, 5)).rejects.toThrow(TypeError);
    await client.sendTask('app.add', { args: [5] });
    expect(await broker.counts('celery')).toMatchObject({ waiting: 1 });
  });

  it('goes by the options of the task', async () => {
    const client = await start();
    expect((await client.delay('app.silent')).ignored).toBe(true);
  });
});

describe('task_always_eager', () => {
  it('runs delay and applyAsync here, without waiting for a countdown', async () => {
    const client = await start({ taskAlwaysEager: true });
    const result = await client.of(Tasks).add.delay(2, 3);
    expect(await result.get()).toBe(5);
    const later = await client.applyAsync('app.add', [2, 3], { countdown: 3_600 });
    expect(await later.get()).toBe(5);
    expect(await broker.queues()).toEqual([]);
    // Nothing is stored.
    expect(await client.result(result.id).state()).toBe('PENDING');
  });

  it('keeps errors, and throws them with task_eager_propagates', async () => {
    const client = await start({ taskAlwaysEager: true });
    await expect((await client.delay('app.fail')).get()).rejects.toBeInstanceOf(Broken);
    const strict = await start({ taskAlwaysEager: true, taskEagerPropagates: true });
    await expect(strict.delay('app.fail')).rejects.toBeInstanceOf(Broken);
  });

  it('still refuses what cannot be encoded', async () => {
    const client = await start({ taskAlwaysEager: true });
    await expect(client.delay('app.kind', Symbol('x'))).rejects.toThrow(EncodeError);
  });

  it('stores with task_store_eager_result, states of the task included', async () => {
    const client = await start({ taskAlwaysEager: true, taskStoreEagerResult: true });
    const stored = await client.delay('app.add', 2, 3);
    expect(await client.result(stored.id).get({ timeout: 0 })).toBe(5);
    const failed = await client.delay('app.fail');
    expect(await client.result(failed.id).state()).toBe('FAILURE');
    const silent = await client.delay('app.silent');
    expect(await silent.get()).toBe(7);
    expect(await client.result(silent.id).exists()).toBe(false);
  });

  it('stores RETRY in between', async () => {
    const client = await start({ taskAlwaysEager: true, taskStoreEagerResult: true });
    const seen: string[] = [];
    client.result('r').onMessage(({ status }) => seen.push(status));
    await client.applyAsync('app.flaky', ['x', []], { taskId: 'r' });
    expect(await client.result('r').state()).toBe('SUCCESS');
    expect(seen).toEqual(['RETRY', 'RETRY', 'SUCCESS']);
  });

  it('fails a task whose result cannot be stored', async () => {
    const client = await start({ taskAlwaysEager: true, taskStoreEagerResult: true });
    const seen: string[] = [];
    client.result('p').onMessage(({ status }) => seen.push(status));
    const result = await client.applyAsync('app.progress', [], { taskId: 'p' });
    await expect(result.get()).rejects.toThrow(EncodeError);
    expect(await client.result('p').state()).toBe('FAILURE');
    expect(seen).toEqual(['PROGRESS', 'FAILURE']);
  });

  it('publishes what sendTask sends, with one warning', async () => {
    const client = await start({ taskAlwaysEager: true });
    await client.sendTask('app.add', { args: [1, 2] });
    await client.sendTask('app.add', { args: [1, 2] });
    expect(await broker.counts('celery')).toMatchObject({ waiting: 2 });
    expect(warnings).toEqual([
      expect.stringMatching(/^task_always_eager has no effect on sendTask/),
    ]);
  });

  it('does not know tasks of other processes', async () => {
    const client = await start({ taskAlwaysEager: true });
    await expect(client.delay('other.task')).rejects.toThrow(NotRegistered);
  });
});
