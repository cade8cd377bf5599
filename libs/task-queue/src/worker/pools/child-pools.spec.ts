import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { SystemClock } from '../../clock/index.js';
import {
  OperationalError,
  Reject,
  SoftTimeLimitExceeded,
  TaskRevokedError,
  TimeLimitExceeded,
} from '../../errors/task-queue.errors.js';
import { createTaskContext, TaskRequest } from '../../tasks/index.js';
import { TimeLimits } from '../time-limits.js';
import { ChildLostError } from './child-lost.error.js';
import type { ChildMain } from './child-process.slot.js';
import type { ChildPool, ChildPoolOptions } from './child.pool.js';
import { PreforkPool } from './prefork.pool.js';
import { ThreadsPool } from './threads.pool.js';

const ROOT = fileURLToPath(new URL('../../../../..', import.meta.url));
const FOLDER = join(ROOT, 'dist/test/pools');
const MAIN = join(FOLDER, 'main.mjs');

/** The main file of a worker, as a user has it; a child boots it. */
const MAIN_TEXT = `
import 'reflect-metadata';
import { closeSync, openSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { Logger, Module } from '@nestjs/common';
import { Ignore, Reject, runWorker, SharedTask, TaskContext, TaskNamespace, TaskQueueModule }
  from './lib/index.js';

class PaymentError extends Error {
  constructor(message, code) { super(message); this.code = code; }
}
class CardError extends PaymentError {}
const kept = [];
// A dying process writes pages to stderr.
const hush = () => { if (isMainThread) { closeSync(2); openSync('/dev/null', 'w'); } };
class PoolTasks {
  echo(value) { return value; }
  nothing() {}
  name() { return TaskContext.current().request; }
  pid() { return process.pid; }
  pay() { throw new PaymentError('declined', 402); }
  payByCard() { throw new CardError('declined', 402); }
  string() { throw 'just a string'; }
  range() { throw new RangeError('out of range'); }
  reject() { throw new Reject('not mine', true); }
  unsendable() { return { call: () => 1 }; }
  log() { new Logger('Shop').warn('low on stock'); }
  async progress(self) {
    await self.updateState('PROGRESS', { at: new Date(0) });
    return 'done';
  }
  wait(self) {
    return new Promise((resolve, reject) => {
      const timer = setInterval(() => {}, 1000);
      self.signal.addEventListener('abort', () => {
        clearInterval(timer);
        reject(self.signal.reason);
      });
    });
  }
  async block(self) { await self.updateState('BEGUN'); while (true); }
  exit(code) { process.exit(code); }
  die() { process.kill(process.pid, 'SIGKILL'); }
  abort() { hush(); process.abort(); }
  stray() { hush(); setTimeout(() => { throw new Error('stray'); }); return new Promise(() => {}); }
  hog() { kept.push(Array.from({ length: 2_000_000 }, (_, index) => index + 0.5)); }
  oom() { hush(); const all = []; for (;;) all.push(new Array(100_000).fill(all.length)); }
}
TaskNamespace('pool')(PoolTasks);
for (const key of Object.getOwnPropertyNames(PoolTasks.prototype)) {
  if (key === 'constructor') continue;
  const bind = ['block', 'progress', 'wait'].includes(key);
  const descriptor = Object.getOwnPropertyDescriptor(PoolTasks.prototype, key);
  Reflect.defineMetadata('design:paramtypes', bind ? [TaskContext] : [], PoolTasks.prototype, key);
  SharedTask({ bind })(PoolTasks.prototype, key, descriptor);
}
class AppModule {}
Module({
  imports: [TaskQueueModule.forRoot({ brokerUrl: 'memory://' })],
  providers: process.env.POOL_UNFIT ? [PoolTasks, { provide: 'X', useFactory: () => {
    throw new Error('no such host');
  } }] : [PoolTasks],
})(AppModule);
await runWorker(AppModule);
`;

class PaymentError extends Error {
  code?: number;
}

let pool: ChildPool | undefined;
let lines: string[];
let ids = 0;

beforeAll(() => {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  execFileSync(
    process.execPath,
    [
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      '-p',
      join(ROOT, 'libs/task-queue/tsconfig.lib.json'),
      '--outDir',
      join(FOLDER, 'lib'),
      '--noCheck',
      '--declaration',
      'false',
      '--incremental',
      'false',
      '--sourceMap',
      'false',
    ],
    { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  writeFileSync(MAIN, MAIN_TEXT);
}, 60_000);

beforeEach(() => {
  lines = [];
  const note = (level: string) => (message: unknown, context?: unknown) =>
    void lines.push(`${level} [${String(context)}] ${String(message)}`);
  Logger.overrideLogger({ log: note('log'), warn: note('warn'), error: note('error') });
});

afterEach(async () => {
  await pool?.close();
  if (pool && pool.stats().processes.length > 0) {
    throw new Error('The pool left a child behind.');
  }
  pool = undefined;
  Logger.overrideLogger(['log', 'warn', 'error', 'fatal']);
});

const POOLS = [
  ['prefork', PreforkPool],
  ['threads', ThreadsPool],
] as const;

function build(
  Pool: (typeof POOLS)[number][1],
  options: Partial<ChildPoolOptions> = {},
  main: Partial<ChildMain> = {},
): ChildPool {
  pool = new Pool(
    { size: 1, clock: new SystemClock(), logger: new Logger('Pool'), ...options },
    { file: MAIN, args: [], ...main },
  );
  return pool;
}

function prepare(name: string, args: unknown[]) {
  ids += 1;
  const states: unknown[] = [];
  let heard!: () => void;
  const stated = new Promise<void>((resolve) => (heard = resolve));
  const request = new TaskRequest({
    message: { id: `id-${ids}`, task: `pool.${name}`, headers: { shadow: 'shown', retries: 2 } },
    args,
    kwargs: {},
    hostname: 'celery@test',
    queue: 'mail',
    redelivered: true,
    deliveryTag: 'tag',
  });
  const control = createTaskContext({
    request,
    services: {
      updateState: async (_, state, meta) => {
        states.push([state, meta]);
        heard();
      },
    },
  });
  const task = {
    name: request.task,
    options: {},
    place: 'Tests',
    definition: {} as never,
    invoke: () => Promise.reject(new Error('It must not run in this process.')),
  };
  return { ...control, task, states, stated };
}

function call(name: string, ...args: unknown[]) {
  const { context, abort, task, states, stated } = prepare(name, args);
  let begun!: (pid: number) => void;
  const started = new Promise<number>((resolve) => (begun = resolve));
  const result = pool!.run({ task, context, abort, args, kwargs: {}, started: begun });
  const outcome = result.then(
    (value) => ({ value }),
    (error: unknown) => ({ error: error as Error & Record<string, unknown> }),
  );
  return { id: context.request.id, context, task, started, outcome, states, stated };
}

async function valueOf(name: string, ...args: unknown[]): Promise<unknown> {
  const outcome = await call(name, ...args).outcome;
  if ('error' in outcome) {
    throw outcome.error;
  }
  return outcome.value;
}

async function errorOf(name: string, ...args: unknown[]) {
  const outcome = await call(name, ...args).outcome;
  if ('error' in outcome) {
    return outcome.error;
  }
  throw new Error('The task did not fail.');
}

/** Resolves when the blocking task runs. */
async function blocks(): Promise<{ run: ReturnType<typeof call> }> {
  const run = call('block');
  await run.stated;
  return { run };
}

describe.each(POOLS)('the pool %s', (name, Pool) => {
  it('runs tasks in children that boot the module; values, errors, logs and states come back', async () => {
    await build(Pool, {
      errorClasses: () => new Map([['PaymentError', PaymentError]]),
    }).start();
    expect(pool!.name).toBe(name);
    const typed = { at: new Date(5), big: 12n, bytes: Buffer.from('ab'), set: new Set([1]) };
    expect(await valueOf('echo', typed)).toEqual(typed);
    expect(await valueOf('nothing')).toBeUndefined();
    const request = call('name');
    const { value } = (await request.outcome) as { value: unknown };
    expect(value).toEqual(JSON.parse(JSON.stringify(request.context.request)));

    const payment = await errorOf('pay');
    expect(payment).toBeInstanceOf(PaymentError);
    expect(payment).toMatchObject({ message: 'declined', code: 402 });
    expect(payment.stack).toContain('main.mjs');
    const card = await errorOf('payByCard');
    expect(card).toBeInstanceOf(PaymentError);
    expect(card.name).toBe('CardError');
    expect(await errorOf('range')).toBeInstanceOf(RangeError);
    expect(await errorOf('string')).toMatchObject({ name: 'NonErrorThrown' });
    const rejected = await errorOf('reject');
    expect(rejected).toBeInstanceOf(Reject);
    expect(rejected).toMatchObject({ reason: 'not mine', requeue: true });
    expect(await errorOf('unsendable')).toMatchObject({
      name: 'EncodeError',
      path: 'result.call',
    });
    expect(await errorOf('unheardOf')).toMatchObject({ name: 'NotRegistered' });

    await valueOf('log');
    expect(lines).toContain('warn [Shop] low on stock');
    const progress = call('progress');
    expect(await progress.outcome).toEqual({ value: 'done' });
    expect(progress.states).toEqual([['PROGRESS', { at: new Date(0) }]]);
    expect(pool!.stats()).toMatchObject({ running: 0, waiting: 0, lost: 0, recycled: 0 });
  }, 30_000);

  it('costs a crash of a child its one task, and starts another child', async () => {
    await build(Pool, { size: 2 }).start();
    const other = call('wait');
    await other.started;
    const crashes: [string, ...unknown[]][] = [['exit', 3], ['stray']];
    if (name === 'prefork') {
      crashes.push(['die'], ['abort']);
    }
    const messages: string[] = [];
    for (const crash of crashes) {
      const error = await errorOf(...crash);
      expect(error).toBeInstanceOf(ChildLostError);
      expect(error.name).toBe('WorkerLostError');
      messages.push(error.message);
    }
    const hows = messages.map(
      (text) => /^Worker exited prematurely: (.+)\. Task: /.exec(text)?.[1],
    );
    expect(hows).toEqual(
      name === 'prefork'
        ? ['exitcode 3', 'exitcode 1', 'signal 9 (SIGKILL)', 'signal 6 (SIGABRT)']
        : ['exitcode 3', 'Error: stray'],
    );
    expect(await valueOf('echo', 1)).toBe(1);
    pool!.abort(other.id, new TaskRevokedError());
    expect((await other.outcome) as object).toMatchObject({
      error: { name: 'TaskRevokedError' },
    });
    expect(pool!.stats().lost).toBe(crashes.length);
  }, 60_000);

  it('survives a task that uses up the memory of its child', async () => {
    await build(Pool, {}, { heapLimit: 96 }).start();
    expect(await errorOf('oom')).toMatchObject({ name: 'WorkerLostError' });
    expect(await valueOf('echo', 1)).toBe(1);
  }, 60_000);

  it('passes the soft limit on, and ends a blocking task within a second of its hard limit', async () => {
    await build(Pool).start();
    const limits = new TimeLimits({
      clock: new SystemClock(),
      pool: pool!,
      settings: { taskSoftTimeLimit: 0.2, taskTimeLimit: null },
      logger: { warn: () => undefined, error: () => undefined },
    });
    const waiting = call('wait');
    await waiting.started;
    const softWatch = limits.watch(waiting.task, waiting.context);
    expect(await waiting.outcome).toMatchObject({ error: { limit: 0.2 } });
    expect(waiting.context.signal.reason).toBeInstanceOf(SoftTimeLimitExceeded);
    softWatch.clear();

    const { run } = await blocks();
    const begin = performance.now();
    const watch = limits.watch(
      { ...run.task, options: { timeLimit: 0.5, softTimeLimit: null } },
      run.context,
    );
    const outcome = (await run.outcome) as { error: Error };
    expect(outcome.error).toBeInstanceOf(TimeLimitExceeded);
    expect(performance.now() - begin).toBeLessThan(1500);
    watch.clear();
    expect(await valueOf('echo', 2)).toBe(2);
  }, 30_000);

  it('replaces a child after its number of tasks, and one that has grown too large', async () => {
    await build(Pool, { maxTasksPerChild: 2 }).start();
    const pids: number[] = [];
    for (let turn = 0; turn < 5; turn += 1) {
      const run = call('echo', turn);
      pids.push(await run.started);
      expect(await run.outcome).toEqual({ value: turn });
    }
    expect(pids[0]).toBe(pids[1]);
    expect(pids[2]).toBe(pids[3]);
    expect(new Set(pids).size).toBe(3);
    expect(pool!.stats()).toMatchObject({ recycled: 2, lost: 0, maxTasksPerChild: 2 });
    await pool!.close();

    await build(Pool, { maxMemoryPerChild: 1 }).start();
    const first = await call('echo', 1).started;
    let now = first;
    while (now === first) {
      const run = call('hog');
      now = await run.started;
      await run.outcome;
    }
    expect(pool!.stats().recycled).toBeGreaterThan(0);
  }, 60_000);

  it('grows and shrinks, the free child first', async () => {
    await build(Pool).start();
    const first = call('wait');
    const second = call('wait');
    await first.started;
    expect(pool!.stats()).toMatchObject({ running: 1, waiting: 1 });
    expect(pool!.grow(2)).toBe(3);
    await second.started;
    expect(pool!.shrink(1)).toBe(2);
    expect(pool!.stats()).toMatchObject({ running: 2, waiting: 0, maxConcurrency: 2 });
    expect(pool!.shrink(5)).toBe(1);
    for (const run of [first, second]) {
      pool!.abort(run.context, new TaskRevokedError());
      expect(await run.outcome).toMatchObject({ error: { name: 'TaskRevokedError' } });
    }
    expect(await valueOf('echo', 1)).toBe(1);
  }, 30_000);

  it('gives running tasks until the deadline when it closes, and takes no more', async () => {
    await build(Pool).start();
    const running = call('wait');
    await running.started;
    const waiting = call('echo', 1);
    const closed = pool!.close({ deadline: 10_000 });
    expect(await waiting.outcome).toMatchObject({ error: { name: 'WorkerLostError' } });
    expect(await call('echo', 1).outcome).toMatchObject({ error: { name: 'WorkerLostError' } });
    pool!.abort(running.id, new TaskRevokedError());
    expect(await running.outcome).toMatchObject({ error: { name: 'TaskRevokedError' } });
    await closed;

    await build(Pool).start();
    const { run } = await blocks();
    await pool!.close();
    expect(await run.outcome).toMatchObject({ error: { name: 'WorkerLostError' } });
  }, 30_000);

  it('does not start when a child cannot', async () => {
    build(Pool, { size: 2 }, { env: { ...process.env, POOL_UNFIT: '1' } });
    const refused = pool!.start();
    await expect(refused).rejects.toThrow(OperationalError);
    await expect(refused).rejects.toThrow(/could not start: .*no such host/);
  }, 30_000);
});
