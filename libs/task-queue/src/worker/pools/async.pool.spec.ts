import { describe, expect, it } from '@jest/globals';
import { ImproperlyConfigured, TaskRevokedError } from '../../errors/task-queue.errors.js';
import { createTaskContext, TaskRequest } from '../../tasks/index.js';
import { AsyncPool } from './async.pool.js';
import { SoloPool } from './solo.pool.js';

/** A run of a task that ends when the test says so. */
function begin(pool: AsyncPool, id: string) {
  let end!: (value: unknown) => void;
  let fail!: (error: unknown) => void;
  const request = new TaskRequest({
    message: { id, task: 'tests.slow', headers: {} },
    args: [],
    kwargs: {},
    hostname: 'celery@test',
    queue: 'celery',
  });
  const { context, abort } = createTaskContext({
    request,
    services: { updateState: () => Promise.resolve() },
  });
  const invoke = () =>
    new Promise((resolve, reject) => {
      end = resolve;
      fail = reject;
    });
  const task = { name: 'tests.slow', options: {}, place: '', definition: {} as never, invoke };
  const pids: number[] = [];
  const outcome = pool
    .run({ task, context, abort, args: [], kwargs: {}, started: (pid) => pids.push(pid) })
    .catch((error: unknown) => error);
  return { context, outcome, pids, end: (value?: unknown) => end(value), fail };
}

describe('the pool async', () => {
  it('runs tasks in this process, and counts them', async () => {
    const pool = new AsyncPool(2);
    await pool.start();
    const run = begin(pool, 'a');
    expect(run.pids).toEqual([process.pid]);
    expect(pool.stats()).toEqual({
      implementation: 'async',
      maxConcurrency: 2,
      maxTasksPerChild: null,
      processes: [process.pid],
      running: 1,
      waiting: 0,
      abandoned: 0,
      lost: 0,
      recycled: 0,
    });
    run.end(5);
    expect(await run.outcome).toBe(5);
    expect(pool.stats().running).toBe(0);
    await pool.close();
  });

  it('aborts the signals of all runs of an id, or of the one that is meant', () => {
    const pool = new AsyncPool(4);
    const [first, second, third, other] = ['a', 'a', 'a', 'b'].map((id) => begin(pool, id));
    pool.abort(second!.context, new TaskRevokedError());
    const aborted = () => [first, second, third, other].map((run) => run!.context.signal.aborted);
    expect(aborted()).toEqual([false, true, false, false]);
    pool.abort('a', new TaskRevokedError());
    pool.abort('unknown', new TaskRevokedError());
    expect(aborted()).toEqual([true, true, true, false]);
  });

  it('lets go of a task that is killed, and takes no notice of how it ends', async () => {
    const pool = new AsyncPool(2);
    const [first, second] = [begin(pool, 'a'), begin(pool, 'a')];
    const reason = new TaskRevokedError('terminated');
    pool.kill('a', reason);
    expect(await first.outcome).toBe(reason);
    expect(await second.outcome).toBe(reason);
    expect(first.context.signal.reason).toBe(reason);
    pool.kill('a', reason);
    expect(pool.stats()).toMatchObject({ running: 0, abandoned: 2 });
    first.end('late');
    second.fail(new Error('late'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(pool.stats().abandoned).toBe(0);
  });

  it('grows and shrinks, to one slot at least', () => {
    const pool = new AsyncPool(2);
    expect([pool.grow(), pool.grow(3), pool.shrink(), pool.shrink(9)]).toEqual([3, 6, 5, 1]);
    expect(() => pool.grow(0)).toThrow(ImproperlyConfigured);
    expect(() => new AsyncPool(1.5)).toThrow(ImproperlyConfigured);
  });
});

describe('the pool solo', () => {
  it('has one slot and keeps it', () => {
    const pool = new SoloPool();
    expect([pool.name, pool.size, pool.limits.hard]).toEqual(['solo', 1, false]);
    expect(() => pool.grow()).toThrow(/runs one task at a time and cannot grow\. Start/);
    expect(() => pool.shrink()).toThrow(/cannot shrink/);
  });
});
