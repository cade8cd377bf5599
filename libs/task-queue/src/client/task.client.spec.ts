import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';

import { MemoryBroker, MemoryStore } from '../brokers/memory/index.js';
import { ManualClock } from '../clock/manual.clock.js';
import {
  ImproperlyConfigured,
  OperationalError,
  TimeoutError,
} from '../errors/task-queue.errors.js';
import { decodeArgs, decodeEnvelope, type TaskHeaders } from '../messages/index.js';
import { BrokerStoreBackend, encodeMeta } from '../results/index.js';
import { parseSettings, type TaskQueueSettingsInput } from '../settings/index.js';
import { SharedTask, TaskContext, TaskNamespace, TaskRegistry } from '../tasks/index.js';
import { TaskClient } from './task.client.js';

@TaskNamespace('app')
class Tasks {
  @SharedTask()
  add(x: number, y: number): number {
    return x + y;
  }

  @SharedTask({ queue: 'mail', expires: '1m', ignoreResult: true })
  send(to: string): string {
    return to;
  }

  @SharedTask({ bind: true })
  async bound(self: TaskContext, text: string): Promise<string> {
    return self.name + text;
  }

  plain(): void {}
}

class NoTasks {
  plain(): void {}
}

class Harness {
  readonly clock = new ManualClock(Date.UTC(2026, 0, 1));
  readonly store = new MemoryStore();
  readonly broker = new MemoryBroker({
    clock: this.clock,
    leaseDuration: 30_000,
    store: this.store,
  });
  readonly backend = new BrokerStoreBackend(this.broker);
  readonly warnings: string[] = [];
  readonly client: TaskClient;

  constructor(settings: TaskQueueSettingsInput = {}) {
    this.client = new TaskClient({
      settings: parseSettings({ brokerUrl: 'memory://', ...settings }, { source: 'test' }).settings,
      broker: this.broker,
      backend: this.backend,
      registry: new TaskRegistry(),
      clock: this.clock,
      logger: { warn: (message) => this.warnings.push(message) },
    });
  }

  /** Takes the next task of a queue, as a worker would. */
  async take(queue = 'celery') {
    const { delivery } = await this.broker.fetch(queue);
    const { headers, payload } = decodeEnvelope(delivery!.data, {
      acceptContent: new Set(['application/json']),
    });
    const all: { headers: TaskHeaders } = { headers };
    return { ...delivery!, ...all, ...decodeArgs(payload) };
  }

  async succeed(id: string, result: unknown): Promise<void> {
    const payload = encodeMeta({
      status: 'SUCCESS',
      result,
      traceback: null,
      children: [],
      date_done: null,
      task_id: id,
    });
    await this.backend.store({ id, status: 'SUCCESS', payload, ttl: null });
  }
}

/** What a promise rejects with; taken hold of at once, so that nobody finds it unhandled. */
function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => new Error(`It resolved with ${String(value)}.`),
    (error: unknown) => error,
  );
}

let harness: Harness;
beforeEach(() => {
  harness = new Harness();
});
afterEach(async () => {
  await harness.client.close();
  if (harness.clock.pendingTimers > 0) throw new Error('A timer was left behind.');
});

describe('the priority of a call', () => {
  class Ranked {
    @SharedTask({ name: 'ranked', priority: 4 })
    ranked(): void {}
  }

  /** A running task of priority 7. */
  const running = { request: { id: 'p', rootId: 'p', deliveryInfo: { priority: 7 } } };

  async function priorityOf(call: () => Promise<unknown>): Promise<number | null | undefined> {
    await call();
    return (await harness.take()).headers.priority;
  }

  it('is that of the call, the task, the route or the setting, and decides the order', async () => {
    harness = new Harness({
      taskDefaultPriority: 1,
      taskRoutes: { 'app.add': { priority: 2 } },
    });
    const { client } = harness;
    const { ranked } = client.of(Ranked);
    const ids: string[] = [];
    const note = ({ id }: { readonly id: string }): void => void ids.push(id);
    note(await client.delay('any'));
    note(await client.delay('app.add', 2, 3));
    note(await ranked.delay());
    note(await ranked.applyAsync([], { priority: 9 }));
    note(await client.applyAsync('any', [], { priority: 0 }));
    const taken = [];
    for (let count = 0; count < ids.length; count += 1) taken.push(await harness.take());
    expect(taken.map(({ headers }) => headers.priority)).toEqual([9, 4, 2, 1, undefined]);
    expect(taken.map(({ lease }) => lease.id)).toEqual([3, 2, 1, 0, 4].map((at) => ids[at]));
  });

  it('is that of the calling task only when it is to be inherited', async () => {
    const inTask = <R>(call: () => R): R =>
      TaskContext.run(running as unknown as TaskContext, call);
    const any = () => inTask(() => harness.client.delay('any'));
    expect(await priorityOf(any)).toBeUndefined();
    harness = new Harness({ taskInheritParentPriority: true, taskDefaultPriority: 1 });
    expect(await priorityOf(any)).toBe(7);
    expect(await priorityOf(() => inTask(() => harness.client.of(Ranked).ranked.delay()))).toBe(4);
    expect(await priorityOf(() => harness.client.delay('any'))).toBe(1);
  });
});

describe('TaskClient.of', () => {
  it('publishes a call of a class that is not provided here', async () => {
    const result = await harness.client.of(Tasks).add.delay(2, 3);
    const task = await harness.take();
    expect(task).toMatchObject({ name: 'app.add', args: [2, 3], kwargs: {} });
    expect(task.lease.id).toBe(result.id);
    const value = result.get({ timeout: 5 });
    await harness.succeed(result.id, 5);
    expect(await value).toBe(5);
  });

  it('goes by the options of the task, unless the call says otherwise', async () => {
    const { send } = harness.client.of(Tasks);
    const ignored = await send.delay('me');
    const { headers } = await harness.take('mail');
    expect(headers.expires).toBe('2026-01-01T00:01:00.000+00:00');
    expect(ignored.ignored).toBe(true);
    expect(await ignored.get()).toBeNull();
    const kept = await send.applyAsync(['me'], { queue: 'fast', expires: 10, ignoreResult: false });
    expect(kept.ignored).toBe(false);
    expect((await harness.take('fast')).headers.expires).toBe('2026-01-01T00:00:10.000+00:00');
  });

  it('leaves out the context of a bound task', async () => {
    await harness.client.of(Tasks).bound.delay('x');
    expect((await harness.take()).args).toEqual(['x']);
  });

  it('passes keyword arguments', async () => {
    await harness.client.of(Tasks).add.applyAsync([2], { kwargs: { y: 3 } });
    expect(await harness.take()).toMatchObject({ args: [2], kwargs: { y: 3 } });
  });

  it('gives the same handles for the same class', () => {
    const handles = harness.client.of(Tasks);
    expect(harness.client.of(Tasks)).toBe(handles);
    expect(Object.keys(handles)).toEqual(['add', 'send', 'bound']);
    expect(handles.add.name).toBe('app.add');
  });

  it('says what is not a task', () => {
    const handles = harness.client.of(Tasks) as any;
    expect(() => handles.plain).toThrow(/^Tasks.plain is not a task: put @SharedTask\(\)/);
    expect(() => handles.nothing).toThrow(/^Tasks has no task 'nothing'. Its tasks are: add, send/);
    expect(() => harness.client.of(NoTasks)).toThrow(/^The class NoTasks has no task/);
    expect(() => harness.client.of(undefined as never)).toThrow(/import each other in a circle/);
  });

  it('can be returned from a promise and provided in Nest', async () => {
    const handles = harness.client.of(Tasks);
    expect(await Promise.resolve(handles)).toBe(handles);
    expect(JSON.stringify(handles)).toContain('add');
    expect((handles as any).onModuleInit).toBeUndefined();
    expect(() => String((handles as any)[Symbol.toStringTag])).not.toThrow();
  });

  it('refuses too many arguments', async () => {
    const add = harness.client.of(Tasks).add as any;
    await expect(add.delay(1, 2, 3)).rejects.toThrow(
      new TypeError('add() takes 2 positional arguments but 3 were given'),
    );
    await expect(add.applyAsync(5)).rejects.toThrow(/given as one array/);
    expect(await harness.broker.queues()).toEqual([]);
  });
});

describe('TaskClient by name', () => {
  it('publishes a task that nothing is known of', async () => {
    await harness.client.delay('other.task', 1, 'x');
    expect(await harness.take()).toMatchObject({ name: 'other.task', args: [1, 'x'] });
    await harness.client.applyAsync('other.task', [2], { queue: 'q', shadow: 's' });
    expect(await harness.take('q')).toMatchObject({ args: [2], headers: { shadow: 's' } });
    await harness.client.task('other.task').delay(3);
    expect((await harness.take()).args).toEqual([3]);
  });

  it('sends with everything in one object', async () => {
    const result = await harness.client.sendTask('reports.build', {
      args: [7],
      kwargs: { pdf: true },
      countdown: 10,
      taskId: 'report-7',
    });
    expect(result.id).toBe('report-7');
    expect(await harness.client.result('report-7').exists()).toBe(true);
    const { nextDueAt } = await harness.broker.fetch('celery');
    expect(nextDueAt).toBe(harness.clock.now() + 10_000);
    harness.clock.advance(10_000);
    const task = await harness.take();
    expect(task).toMatchObject({ args: [7], kwargs: { pdf: true } });
    expect(task.headers.eta).toBe('2026-01-01T00:00:10.000+00:00');
  });

  it.each([undefined, '', 5])('refuses the name %p', async (name) => {
    await expect(harness.client.delay(name as string)).rejects.toThrow(
      /name of a task is a string/,
    );
    await expect(harness.client.sendTask(name as string)).rejects.toThrow(TypeError);
  });

  it('refuses wrong options before anything is sent', async () => {
    await expect(harness.client.applyAsync('a', [], { countdown: Number.NaN })).rejects.toThrow(
      TypeError,
    );
    await expect(harness.client.sendTask('a', { prio: 5 } as never)).rejects.toThrow(TypeError);
    expect(await harness.broker.queues()).toEqual([]);
  });

  it('publishes once for one id', async () => {
    await harness.client.applyAsync('a', [1], { taskId: 'once' });
    await harness.client.applyAsync('a', [2], { taskId: 'once' });
    expect(await harness.broker.counts('celery')).toMatchObject({ waiting: 1 });
  });

  it('warns of an expiry in the past, and publishes all the same', async () => {
    const result = await harness.client.applyAsync('a', [], { expires: -1 });
    expect(harness.warnings).toEqual([
      expect.stringMatching(
        /^The task 'a' is published with 'expires' in the past \(2025-12-31T23:59:59/,
      ),
    ]);
    const record = jest.fn(() => undefined);
    expect(await harness.broker.expire(record)).toEqual([result.id]);
  });
});

describe('routes', () => {
  it('go after the task and the call', async () => {
    const taskRoutes = { 'app.*': { queue: 'routed', headers: { from: 'route' } } };
    const { client, take } = ((h) => ({ client: h.client, take: h.take.bind(h) }))(
      new Harness({ taskRoutes }),
    );
    await client.of(Tasks).add.delay(1, 2);
    expect((await take('routed')).headers.headers).toEqual({ from: 'route' });
    await client.of(Tasks).send.delay('x');
    expect((await take('mail')).args).toEqual(['x']);
    await client.delay('app.unknown');
    expect((await take('routed')).name).toBe('app.unknown');
    await client.applyAsync('app.unknown', [], { queue: 'own' });
    expect((await take('own')).name).toBe('app.unknown');
    await client.close();
  });

  it('say where a wrong option stands', async () => {
    const { client } = new Harness({ taskRoutes: { a: { queue: 'q', countdwn: 5 } } });
    await expect(client.delay('a')).rejects.toThrow(
      /^In task_routes for 'a': There is no option 'countdwn'. Did you mean 'countdown'/,
    );
    await client.close();
  });

  it('are bound to the known queues with task_create_missing_queues off', async () => {
    const { client } = new Harness({ taskQueues: ['high'], taskCreateMissingQueues: false });
    await expect(client.applyAsync('a', [], { queue: 'hihg' })).rejects.toThrow(
      ImproperlyConfigured,
    );
    await client.applyAsync('a', [], { queue: 'high' });
    await client.close();
  });
});

describe('TaskClient', () => {
  it('reads any result by its id', async () => {
    await harness.succeed('x', 'value');
    expect(await harness.client.result<string>('x').get()).toBe('value');
    const late = errorOf(harness.client.result('y').get({ timeout: 1 }));
    await harness.clock.advanceAsync(1_000);
    expect(await late).toBeInstanceOf(TimeoutError);
    expect(() => harness.client.result('')).toThrow(TypeError);
  });

  it('refuses to wait inside a task', async () => {
    const request = { isEager: false, id: 'r' };
    const context = { request } as unknown as TaskContext;
    const get = TaskContext.run(context, () => harness.client.result('x').get());
    await expect(get).rejects.toThrow(/^Never call result.get\(\) within a task!/);
  });

  it('pings the broker', async () => {
    await expect(harness.client.ping()).resolves.toBeUndefined();
    await harness.broker.close();
    await expect(harness.client.ping()).rejects.toThrow(OperationalError);
  });

  it('closes once, and gives up what waits', async () => {
    const outcome = errorOf(harness.client.result('x').get({ timeout: 9 }));
    await harness.clock.advanceAsync(0);
    await Promise.all([harness.client.close(), harness.client.close()]);
    expect(await outcome).toBeInstanceOf(OperationalError);
    await expect(harness.client.ping()).rejects.toThrow(OperationalError);
  });
});
