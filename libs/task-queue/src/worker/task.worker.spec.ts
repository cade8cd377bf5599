import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { MemoryBroker, MemoryStore } from '../brokers/memory/index.js';
import { ManualClock } from '../clock/index.js';
import { ImproperlyConfigured, OperationalError } from '../errors/task-queue.errors.js';
import { NO_TASK_HOOKS, TaskSignals } from '../events/index.js';
import { CodecRegistry, encodeEnvelope, type TaskHeaders } from '../messages/index.js';
import { BrokerStoreBackend, decodeMeta, type ResultBackend } from '../results/index.js';
import { parseSettings, type TaskQueueSettingsInput } from '../settings/index.js';
import { TaskRegistry, type RegisteredTask, type TaskContext } from '../tasks/index.js';
import { TaskWorker } from './task.worker.js';

type Body = (context: TaskContext, ...args: unknown[]) => unknown;

let clock: ManualClock;
let store: MemoryStore;
let broker: MemoryBroker;
let backend: ResultBackend;
let registry: TaskRegistry;
let worker: TaskWorker;
let lines: string[];
let written: string;

function make(input: TaskQueueSettingsInput = {}): TaskWorker {
  const { settings } = parseSettings({ brokerUrl: 'memory://', ...input }, { source: 'test' });
  worker = new TaskWorker({
    settings,
    broker,
    backend,
    registry,
    codecs: new CodecRegistry(),
    clock,
    signals: new TaskSignals(clock),
    hooks: NO_TASK_HOOKS,
  });
  return worker;
}

function task(name: string, body: Body): void {
  registry.register({
    name,
    options: {},
    place: `Tests.${name}`,
    definition: {} as RegisteredTask['definition'],
    invoke: async (context, args) => body(context, ...args),
  });
}

async function publish(
  id: string,
  name: string,
  args: unknown[] = [],
  more: { expiresAt?: number; headers?: TaskHeaders } = {},
): Promise<void> {
  const { headers = {}, ...fields } = more;
  const message = { id, task: name, args, kwargs: {}, headers };
  const data = encodeEnvelope(message, { maxBytes: Infinity });
  await broker.publish([{ id, name, queue: 'celery', data, ...fields }]);
}

async function metaOf(id: string) {
  const text = await backend.get(id);
  return text === undefined ? undefined : decodeMeta(text);
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    await nextTurn();
  }
}

/** A task that runs until the test ends it. */
function slowTask(): { end: () => void; context: () => TaskContext } {
  let end!: () => void;
  let context!: TaskContext;
  task('slow', (self) => {
    context = self;
    return new Promise<void>((resolve) => (end = resolve));
  });
  return { end: () => end(), context: () => context };
}

beforeEach(() => {
  clock = new ManualClock();
  store = new MemoryStore();
  broker = new MemoryBroker({ clock, leaseDuration: 30_000, store });
  backend = new BrokerStoreBackend(broker);
  registry = new TaskRegistry();
  lines = [];
  written = '';
  const note = (level: string) => (message: unknown) =>
    void lines.push(`${level}: ${String(message)}`);
  Logger.overrideLogger({
    log: note('log'),
    warn: note('warn'),
    error: note('error'),
    debug: note('debug'),
  });
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
});

afterEach(async () => {
  jest.restoreAllMocks();
  await worker.terminate();
  await broker.close();
  await settle();
  Logger.overrideLogger(['log', 'warn', 'error', 'fatal']);
  if (clock.pendingTimers > 0) {
    throw new Error('The worker left a timer behind.');
  }
});

describe('a worker', () => {
  it('runs what is published, before and after its start', async () => {
    task('add', (_self, x, y) => (x as number) + (y as number));
    await publish('before', 'add', [1, 2]);
    await make().start();
    expect(worker.isReady).toBe(true);
    await settle();
    await publish('after', 'add', [3, 4]);
    await settle();
    expect(await metaOf('before')).toMatchObject({ status: 'SUCCESS', result: 3 });
    expect(await metaOf('after')).toMatchObject({ status: 'SUCCESS', result: 7 });
    expect(lines).toEqual(
      expect.arrayContaining([
        'log: Connected to memory://',
        expect.stringMatching(/^log: celery@\S+ ready\.$/),
        'log: Task add[before] received',
        expect.stringMatching(/^log: Task add\[after\] succeeded in \d\.\d{4}s: 7$/),
      ]),
    );
  });

  it('runs as many tasks at a time as it may, and says how many', async () => {
    let running = 0;
    task('count', () => {
      running += 1;
      return new Promise(() => {});
    });
    await Promise.all(['1', '2', '3', '4'].map((id) => publish(`id-${id}`, 'count')));
    await make({ workerConcurrency: 3 }).start();
    await settle();
    expect(running).toBe(3);
    expect(worker.activeCount).toBe(3);
  });

  it('does not log single tasks at level warning', async () => {
    task('add', () => 1);
    await publish('id', 'add');
    await make().start({ logLevel: 'warning' });
    await settle();
    expect(await metaOf('id')).toMatchObject({ status: 'SUCCESS' });
    expect(lines.filter((line) => line.includes('Task add'))).toEqual([]);
  });

  it('takes back the tasks of a lost worker', async () => {
    task('add', () => 1);
    await publish('id', 'add');
    await broker.fetch('celery');
    await make().start();
    await clock.advanceAsync(36_000);
    expect(await metaOf('id')).toMatchObject({ status: 'SUCCESS' });
  });

  it('ends expired tasks that nobody looked at', async () => {
    await make().start({ concurrency: 1 });
    slowTask();
    await publish('slow', 'slow');
    await settle();
    await publish('late', 'slow', [], { expiresAt: clock.now() + 5000 });
    await clock.advanceAsync(6000);
    expect(await metaOf('late')).toMatchObject({ status: 'REVOKED' });
    expect(lines).toContain('log: Discarding revoked task: late (expired)');
  });

  it('ends expired tasks elsewhere, too, where results are kept, though that is away', async () => {
    const elsewhere = new MemoryBroker({ clock, leaseDuration: 1 });
    const inner = new BrokerStoreBackend(elsewhere);
    let failures = 2;
    backend = Object.assign(Object.create(inner) as ResultBackend, {
      inBroker: false,
      store: (record: never) => {
        failures -= 1;
        return failures >= 0 ? Promise.reject(new OperationalError('Away.')) : inner.store(record);
      },
    });
    const announced = jest.spyOn(broker, 'announce');
    await make().start({ concurrency: 1 });
    slowTask();
    await publish('slow', 'slow');
    await settle();
    await publish('late', 'slow', [], { expiresAt: clock.now() + 500 });
    await clock.advanceAsync(5000);
    expect(await metaOf('late')).toMatchObject({ status: 'REVOKED' });
    expect(await broker.results.get('late')).toBeUndefined();
    expect(announced).toHaveBeenCalledWith('late', expect.stringContaining('REVOKED'));
  });

  it('tells a task that its lease is lost, and records nothing of that run', async () => {
    const runs: { context: TaskContext; end: (value: string) => void }[] = [];
    task('slow', (context) => new Promise((end) => runs.push({ context, end })));
    await publish('id', 'slow');
    await make().start();
    await settle();
    jest.spyOn(store, 'renew').mockReturnValueOnce(false);
    // The lease is over, and the worker takes the task back as it would another worker's.
    await clock.advanceAsync(36_000);
    expect(runs.map(({ context }) => context.request.deliveryInfo.redelivered)).toEqual([
      false,
      true,
    ]);
    const [first, second] = runs;
    expect(first!.context.signal.reason).toMatchObject({ name: 'LeaseLostError' });
    expect(second!.context.signal.aborted).toBe(false);
    first!.end('too late');
    await settle();
    expect(await metaOf('id')).toBeUndefined();
    second!.end('in time');
    await settle();
    expect(await metaOf('id')).toMatchObject({ status: 'SUCCESS', result: 'in time' });
  });
});

describe('start', () => {
  it('prints the banner for run, and only when asked for start', async () => {
    task('app.add', () => 1);
    await make().start();
    expect(written).toBe('');
    await worker.stop();
    void make({ workerName: 'mail@host' }).run();
    await settle();
    expect(written).toContain(' -------------- mail@host v');
    expect(written).toContain('.> transport:   memory://');
    expect(written).toContain('  . app.add');
  });

  it('works once', async () => {
    await make().start();
    await expect(worker.start()).rejects.toThrow(/A TaskWorker is started once/);
    await worker.stop();
    await expect(worker.start()).rejects.toThrow(ImproperlyConfigured);
  });

  it('refuses wrong options, and can then be started with right ones', async () => {
    make();
    await expect(worker.start({ concurrency: 0 })).rejects.toThrow(ImproperlyConfigured);
    await worker.start({ concurrency: 1 });
    expect(worker.isReady).toBe(true);
  });
});

describe('start while the broker is away', () => {
  const away = new OperationalError('The store is away.');

  it('waits 2 s, 4 s, ... and starts when it is back', async () => {
    const connect = jest
      .spyOn(broker, 'connect')
      .mockRejectedValueOnce(away)
      .mockRejectedValueOnce(away);
    const started = make().start();
    await clock.advanceAsync(2000);
    expect(connect).toHaveBeenCalledTimes(2);
    await clock.advanceAsync(3999);
    expect(connect).toHaveBeenCalledTimes(2);
    expect(worker.isReady).toBe(false);
    await clock.advanceAsync(1);
    await started;
    expect(worker.isReady).toBe(true);
    expect(lines[0]).toBe(
      'error: consumer: Cannot connect to memory://: The store is away. Trying again in 2.00 ' +
        'seconds... (1/100)',
    );
  });

  it('never waits longer than 30 s, and for ever with broker_connection_max_retries 0', async () => {
    const connect = jest.spyOn(broker, 'connect').mockRejectedValue(away);
    const started = make({ brokerConnectionMaxRetries: 0 }).start();
    await clock.advanceAsync(2000 * (14 * 7.5));
    const calls = connect.mock.calls.length;
    await clock.advanceAsync(300_000);
    expect(connect.mock.calls.length - calls).toBe(10);
    expect(lines.at(-1)).toContain('/for ever)');
    await worker.stop();
    await started;
  });

  it('gives up after broker_connection_max_retries', async () => {
    const connect = jest.spyOn(broker, 'connect').mockRejectedValue(away);
    const started = make({ brokerConnectionMaxRetries: 2 }).start();
    const refusal = started.catch((error: unknown) => error);
    await clock.advanceAsync(60_000);
    expect(await refusal).toBe(away);
    expect(connect).toHaveBeenCalledTimes(3);
  });

  it.each([
    [{ brokerConnectionRetryOnStartup: false }, false],
    [{ brokerConnectionRetry: false }, false],
    [{ brokerConnectionRetry: false, brokerConnectionRetryOnStartup: true }, true],
    [{ brokerConnectionRetry: true, brokerConnectionRetryOnStartup: false }, false],
  ])('with %j waits: %j', async (input, waits) => {
    jest.spyOn(broker, 'connect').mockRejectedValueOnce(away);
    const started = make(input).start();
    const outcome = started.then(
      () => true,
      () => false,
    );
    await clock.advanceAsync(2000);
    expect(await outcome).toBe(waits);
  });

  it.each([
    ['a password', new OperationalError('The password is wrong.')],
    ['a setting', new ImproperlyConfigured('The URL is wrong.')],
    ['a bug', new TypeError('a bug')],
  ])('does not wait when waiting does not help: for %s', async (_what, error) => {
    jest.spyOn(broker, 'connect').mockRejectedValue(error);
    await expect(make().start()).rejects.toBe(error);
    expect(worker.isReady).toBe(false);
    await worker.stop();
  });

  it('run rejects as start does', async () => {
    jest.spyOn(broker, 'connect').mockRejectedValue(away);
    await expect(make({ brokerConnectionRetry: false }).run()).rejects.toBe(away);
  });
});

describe('stop', () => {
  it('lets running tasks finish, takes no more, and ends run', async () => {
    const slow = slowTask();
    await publish('running', 'slow');
    const run = make({ workerConcurrency: 1 }).run();
    await settle();
    await publish('waiting', 'slow');
    let stopped = false;
    const stopping = worker.stop().then(() => (stopped = true));
    expect(worker.isReady).toBe(false);
    await settle();
    expect(stopped).toBe(false);
    slow.end();
    await Promise.all([stopping, run]);
    expect(await metaOf('running')).toMatchObject({ status: 'SUCCESS' });
    expect(await broker.locate('waiting')).toMatchObject({ state: 'waiting' });
    expect(worker.activeCount).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is one thing, however often it is asked for', async () => {
    await make().start();
    expect(worker.stop()).toBe(worker.stop());
    await worker.stop();
    await worker.terminate();
  });

  it('hands back what still runs after worker_soft_shutdown_timeout', async () => {
    const slow = slowTask();
    await publish('id', 'slow');
    const run = make({ workerSoftShutdownTimeout: 10 }).run();
    await settle();
    const stopping = worker.stop();
    await clock.advanceAsync(9999);
    expect(slow.context().signal.aborted).toBe(false);
    await clock.advanceAsync(1);
    await Promise.all([stopping, run]);
    expect(slow.context().signal.reason).toMatchObject({ name: 'WorkerLostError' });
    expect(await broker.locate('id')).toMatchObject({ state: 'waiting' });
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.stringContaining('worker_soft_shutdown_timeout (10s) is over'),
        'warn: Restoring 1 unacknowledged message(s)',
      ]),
    );
  });

  it('needs no timeout when everything ends before', async () => {
    const slow = slowTask();
    await publish('id', 'slow');
    await make({ workerSoftShutdownTimeout: 10 }).start();
    await settle();
    const stopping = worker.stop();
    slow.end();
    await stopping;
    expect(clock.pendingTimers).toBe(0);
  });

  it('before the start means no start, and does not wait', async () => {
    const connect = jest.spyOn(broker, 'connect');
    await make().stop();
    await worker.run();
    expect(worker.isReady).toBe(false);
    expect(connect).not.toHaveBeenCalled();
  });

  it('ends a start that waits for the broker, at once', async () => {
    jest.spyOn(broker, 'connect').mockRejectedValue(new OperationalError('Away.'));
    const run = make().run();
    await settle();
    await worker.stop();
    await run;
    expect(clock.pendingTimers).toBe(0);
  });

  it('waits for a connection that is being made, and then uses it no more', async () => {
    let connected!: () => void;
    jest.spyOn(broker, 'connect').mockReturnValue(new Promise((resolve) => (connected = resolve)));
    const keepLeases = jest.spyOn(broker, 'keepLeases');
    const run = make().run();
    let stopped = false;
    const stopping = worker.stop().then(() => (stopped = true));
    await settle();
    expect(stopped).toBe(false);
    connected();
    await Promise.all([stopping, run]);
    expect(keepLeases).not.toHaveBeenCalled();
  });

  it('while the last part is made closes it again', async () => {
    const keeper = await broker.keepLeases(1);
    const close = jest.spyOn(keeper, 'close');
    let made!: () => void;
    jest
      .spyOn(broker, 'keepLeases')
      .mockReturnValue(new Promise((resolve) => (made = () => resolve(keeper))));
    const run = make().run();
    await settle();
    const stopping = worker.stop();
    made();
    await Promise.all([stopping, run]);
    expect(close).toHaveBeenCalledTimes(1);
    expect(worker.isReady).toBe(false);
  });

  it('hides an error of a start that nobody wants any more', async () => {
    let fail!: () => void;
    jest
      .spyOn(broker, 'connect')
      .mockReturnValue(
        new Promise((_, reject) => (fail = () => reject(new OperationalError('Closed.')))),
      );
    const run = make().run();
    const stopping = worker.stop();
    fail();
    await Promise.all([stopping, run]);
    expect(lines).toEqual([]);
  });

  it('ends run even when the leases cannot be closed, and says why', async () => {
    const keeper = await broker.keepLeases(1);
    jest.spyOn(broker, 'keepLeases').mockResolvedValue(keeper);
    jest.spyOn(keeper, 'close').mockRejectedValueOnce(new Error('stuck'));
    const run = make().run();
    await settle();
    await expect(worker.stop()).rejects.toThrow('stuck');
    await run;
    await keeper.close();
  });
});

describe('terminate', () => {
  it('hands running tasks back at once, to run again elsewhere', async () => {
    const slow = slowTask();
    await publish('id', 'slow');
    const run = make().run();
    await settle();
    await worker.terminate();
    await run;
    expect(slow.context().signal.aborted).toBe(true);
    slow.end();
    await settle();
    expect(await metaOf('id')).toBeUndefined();
    expect((await broker.fetch('celery')).delivery).toMatchObject({ redeliveries: 0 });
    expect(lines).toContain('warn: Restoring 1 unacknowledged message(s)');
  });

  it('ends a stop that is under way', async () => {
    slowTask();
    await publish('id', 'slow');
    await make().start();
    await settle();
    const stopping = worker.stop();
    await worker.terminate();
    await stopping;
    expect(await broker.locate('id')).toMatchObject({ state: 'waiting' });
  });

  it('is waited for by a later stop, and by a second terminate', async () => {
    slowTask();
    await publish('id', 'slow');
    await make().start();
    await settle();
    let released!: () => void;
    jest.spyOn(broker, 'release').mockReturnValue(new Promise((resolve) => (released = resolve)));
    void worker.terminate();
    const ended: string[] = [];
    const both = [
      worker.stop().then(() => ended.push('stop')),
      worker.terminate().then(() => ended.push('terminate')),
    ];
    await settle();
    expect(ended).toEqual([]);
    released();
    await Promise.all(both);
  });

  it('during the start ends it', async () => {
    jest.spyOn(broker, 'connect').mockRejectedValue(new OperationalError('Away.'));
    const run = make().run();
    await settle();
    await worker.terminate();
    await run;
    expect(worker.isReady).toBe(false);
  });
});
