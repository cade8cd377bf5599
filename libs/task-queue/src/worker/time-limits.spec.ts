import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../clock/index.js';
import { SoftTimeLimitExceeded, TimeLimitExceeded } from '../errors/task-queue.errors.js';
import { createTaskContext, TaskRequest } from '../tasks/index.js';
import { SoloPool } from './pools/solo.pool.js';
import { AsyncPool } from './pools/async.pool.js';
import type { Pool } from './pools/pool.port.js';
import { TimeLimits, type TimeLimitSettings } from './time-limits.js';

const task = (options: object = {}) => ({ name: 'reports.build', options });

let clock: ManualClock;
let lines: string[];

function setup(settings: Partial<TimeLimitSettings> = {}, pool: Pool = new AsyncPool(4)) {
  const note = (line: string): void => void lines.push(line);
  const limits = new TimeLimits({
    clock,
    pool,
    settings: { taskSoftTimeLimit: null, taskTimeLimit: null, ...settings },
    logger: { warn: note, error: note },
  });
  return { limits, pool };
}

/** A run of a task that ends when the test says so. */
function begin(pool: Pool, timelimit: [number | null, number | null] = [null, null]) {
  let end!: (value: unknown) => void;
  const request = new TaskRequest({
    message: { id: 'id', task: 'reports.build', headers: { timelimit } },
    args: [],
    kwargs: {},
    hostname: 'celery@test',
    queue: 'celery',
  });
  const { context, abort } = createTaskContext({
    request,
    services: { updateState: () => Promise.resolve() },
  });
  const invoke = () => new Promise((resolve) => (end = resolve));
  const registered = { ...task(), place: 'Tests', definition: {} as never, invoke };
  const outcome = pool
    .run({ task: registered, context, abort, args: [], kwargs: {} })
    .then(String, (error: unknown) => error);
  return { context, outcome, end: (value: unknown) => end(value) };
}

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
});

describe('limitsFor', () => {
  it('takes the limits of the call, then of an override, of the task, of the settings', () => {
    const { limits } = setup({ taskSoftTimeLimit: 10, taskTimeLimit: 20 });
    const limited = task({ softTimeLimit: '1m', timeLimit: 90 });
    expect(limits.limitsFor(task())).toEqual({ soft: 10, hard: 20 });
    expect(limits.limitsFor(task({ timeLimit: null, softTimeLimit: 0 }))).toEqual({
      soft: null,
      hard: null,
    });
    expect(limits.limitsFor(limited)).toEqual({ soft: 60, hard: 90 });
    limits.override('reports.build', { soft: null, hard: 5 });
    expect(limits.limitsFor(limited)).toEqual({ soft: null, hard: 5 });
    expect(limits.limitsFor(limited, [7, 6])).toEqual({ soft: 6, hard: 7 });
    expect(limits.limitsFor(limited, [null, 0])).toEqual({ soft: null, hard: 5 });
  });

  it('does not take what is no number above 0 from a message', () => {
    const { limits } = setup({ taskTimeLimit: 20 });
    const wrong = ['soon', -1] as unknown as [number, number];
    expect(limits.limitsFor(task(), wrong)).toEqual({ soft: null, hard: 20 });
  });
});

describe('assertAll', () => {
  it('refuses a soft limit above the hard limit, wherever they come from', () => {
    const { limits } = setup({ taskTimeLimit: 20 });
    expect(() => limits.assertAll([task({ softTimeLimit: 20 })])).not.toThrow();
    expect(() => limits.assertAll([task({ softTimeLimit: 21 })])).toThrow(
      /^The task 'reports.build' has a soft time limit \(21 s\) above the hard time limit \(20 s\)/,
    );
    expect(() => setup({ taskSoftTimeLimit: 2, taskTimeLimit: 1 }).limits.assertAll([])).toThrow(
      /^The settings together have a soft time limit/,
    );
    expect(() => limits.override('x', { soft: 3, hard: 2 })).toThrow(/above the hard/);
  });

  it('refuses what is not a duration', () => {
    expect(() => setup().limits.assertAll([task({ timeLimit: 'soon' })])).toThrow(
      /The option timeLimit of the task 'reports.build' is not a time limit/,
    );
  });

  it('refuses a hard limit in a pool that cannot enforce it, and takes a soft one', () => {
    const { limits } = setup({}, new SoloPool());
    expect(() => limits.assertAll([task({ softTimeLimit: 5 })])).not.toThrow();
    expect(() => limits.assertAll([task({ timeLimit: 5 })])).toThrow(
      /hard time limit, and the pool 'solo' cannot enforce one\. Start the worker with -P prefork/,
    );
  });
});

describe('watch', () => {
  it('aborts the signal at the soft limit; what the task returns then is its outcome', async () => {
    const { limits, pool } = setup({ taskSoftTimeLimit: 2, taskTimeLimit: 10 });
    const run = begin(pool);
    const watch = limits.watch(task(), run.context);
    await clock.advanceAsync(1999);
    expect(run.context.signal.aborted).toBe(false);
    await clock.advanceAsync(1);
    expect(run.context.signal.reason).toBeInstanceOf(SoftTimeLimitExceeded);
    expect(run.context.signal.reason).toMatchObject({ limit: 2 });
    run.end('cleaned up');
    expect(await run.outcome).toBe('cleaned up');
    watch.clear();
    expect(clock.pendingTimers).toBe(0);
    expect(lines).toEqual(['Soft time limit (2s) exceeded for reports.build[id]']);
  });

  it('ends the run at the hard limit, and the pool counts the task that goes on', async () => {
    const { limits, pool } = setup();
    const run = begin(pool, [3, null]);
    const watch = limits.watch(task(), run.context);
    await clock.advanceAsync(3000);
    const error = await run.outcome;
    expect(error).toBeInstanceOf(TimeLimitExceeded);
    expect(error).toMatchObject({ limit: 3, message: expect.stringContaining('of 3 s') });
    expect(run.context.signal.reason).toBe(error);
    expect(pool.stats()).toMatchObject({ running: 0, abandoned: 1 });
    run.end('late');
    await clock.advanceAsync(0);
    expect(pool.stats()).toMatchObject({ running: 0, abandoned: 0 });
    watch.clear();
    expect(lines).toEqual(['Hard time limit (3s) exceeded for reports.build[id]']);
  });

  it('ends the run at the hard limit also when the soft limit of another origin is later', async () => {
    const { limits, pool } = setup({ taskSoftTimeLimit: 5 });
    const run = begin(pool, [2, null]);
    limits.watch(task(), run.context);
    await clock.advanceAsync(2000);
    expect(await run.outcome).toBeInstanceOf(TimeLimitExceeded);
    expect(clock.pendingTimers).toBe(0);
  });

  it('sets no timer without limits, and leaves none when the run ends in time', () => {
    const { limits, pool } = setup();
    limits.watch(task(), begin(pool).context);
    expect(clock.pendingTimers).toBe(0);
    limits.watch(task(), begin(pool, [4, 2]).context).clear();
    expect(clock.pendingTimers).toBe(0);
  });

  it('has the guard watch hard limits, where the pool cannot end a task that blocks', () => {
    const pool = new AsyncPool(1);
    const watched: [string, number][] = [];
    let cleared = 0;
    const limits = new TimeLimits({
      clock,
      pool,
      settings: { taskSoftTimeLimit: 1, taskTimeLimit: null },
      logger: { warn: () => undefined, error: () => undefined },
      guard: {
        watch: ({ id }, limit) => {
          watched.push([id, limit]);
          return { clear: () => void (cleared += 1) };
        },
      },
    });
    limits.watch(task(), begin(pool).context).clear();
    limits.watch(task(), begin(pool, [4, null]).context).clear();
    expect(watched).toEqual([['id', 4]]);
    expect(cleared).toBe(1);
  });

  it('says once that a call asks for what the pool cannot do', () => {
    const { limits, pool } = setup({}, new SoloPool());
    const run = begin(pool, [4, null]);
    limits.watch(task(), run.context);
    limits.watch(task(), run.context);
    expect(clock.pendingTimers).toBe(0);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/the pool 'solo' cannot enforce: it runs on/);
  });
});
