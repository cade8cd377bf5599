import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../clock/index.js';
import { OperationalError, TaskRevokedError } from '../../errors/task-queue.errors.js';
import { createTaskContext, TaskRequest } from '../../tasks/index.js';
import type { ChildOrder, ChildReport } from './child.messages.js';
import type { Child } from './child.port.js';
import { ChildPool, type ChildPoolOptions } from './child.pool.js';

/** A child that does as the test says. */
class FakeChild implements Child {
  readonly orders: ChildOrder[] = [];
  state: 'alive' | 'killed' | 'released' = 'alive';
  private report!: (report: ChildReport) => void;
  private end!: (how: string) => void;

  constructor(readonly pid: number) {}

  send(order: ChildOrder): void {
    this.orders.push(order);
  }

  onReport(listener: (report: ChildReport) => void): void {
    this.report = listener;
  }

  onEnd(listener: (how: string) => void): void {
    this.end = listener;
  }

  release(): void {
    this.state = 'released';
  }

  kill(): void {
    this.state = 'killed';
  }

  ready(): void {
    this.report({ type: 'ready' });
  }

  unfit(reason: string): void {
    this.report({ type: 'unfit', reason });
  }

  /** Ends its last task. */
  done(value: string, memory = 0): void {
    this.report({ type: 'done', run: this.lastRun, value, memory });
  }

  dies(how = 'exitcode 1'): void {
    this.end(how);
  }

  private get lastRun(): number {
    const order = this.orders.findLast(({ type }) => type === 'run');
    return order?.type === 'run' ? order.run : 0;
  }
}

class FakePool extends ChildPool {
  readonly name = 'fake';
  readonly children: FakeChild[] = [];

  protected spawn(): Child {
    const child = new FakeChild(this.children.length + 1);
    this.children.push(child);
    return child;
  }
}

let clock: ManualClock;
let lines: string[];
let ids = 0;

function make(options: Partial<ChildPoolOptions> = {}): FakePool {
  const note = (line: string): void => void lines.push(line);
  const logger = { debug: note, log: note, warn: note, error: note };
  return new FakePool({ size: 1, clock, logger, ...options });
}

async function started(options: Partial<ChildPoolOptions> = {}): Promise<FakePool> {
  const pool = make(options);
  const start = pool.start();
  pool.children.forEach((child) => child.ready());
  await start;
  return pool;
}

function run(pool: FakePool) {
  ids += 1;
  const request = new TaskRequest({
    message: { id: `id-${ids}`, task: 'tests.any', headers: {} },
    args: [],
    kwargs: {},
    hostname: 'celery@test',
    queue: 'celery',
  });
  const { context, abort } = createTaskContext({
    request,
    services: { updateState: () => Promise.resolve() },
  });
  const invoke = () => Promise.reject(new Error('Not here.'));
  const task = { name: 'tests.any', options: {}, place: '', definition: {} as never, invoke };
  const outcome = pool
    .run({ task, context, abort, args: [], kwargs: {} })
    .catch((error: unknown) => error);
  return { id: request.id, context, outcome };
}

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
});

afterEach(() => {
  if (clock.pendingTimers > 0) {
    throw new Error('The pool left a timer behind.');
  }
});

describe('a pool of children', () => {
  it('starts all children at once, and is ready when all are', async () => {
    const pool = make({ size: 3 });
    let isReady = false;
    const start = pool.start().then(() => (isReady = true));
    expect(pool.children).toHaveLength(3);
    pool.children[0]!.ready();
    pool.children[1]!.ready();
    await clock.advanceAsync(0);
    expect(isReady).toBe(false);
    pool.children[2]!.ready();
    await start;
    expect(pool.stats().processes).toEqual([1, 2, 3]);
    const closed = pool.close();
    expect(pool.children.map(({ state }) => state)).toEqual(['released', 'released', 'released']);
    pool.children.forEach((child) => child.dies());
    await closed;
  });

  it('does not start when a child cannot, and leaves none', async () => {
    const pool = make({ size: 2 });
    const start = pool.start();
    pool.children[0]!.ready();
    pool.children[1]!.unfit('no database');
    await clock.advanceAsync(0);
    pool.children.forEach((child) => child.dies());
    await expect(start).rejects.toThrow(OperationalError);
    await expect(start).rejects.toThrow(/could not start: no database/);
    expect(pool.stats().processes).toEqual([]);
  });

  it('kills a child that takes too long to start', async () => {
    const pool = make({ startTimeout: 4000 });
    const start = pool.start();
    await clock.advanceAsync(4000);
    expect(pool.children[0]!.state).toBe('killed');
    pool.children[0]!.dies('signal 9 (SIGKILL)');
    await expect(start).rejects.toThrow(/it ended with signal 9 \(SIGKILL\)/);
  });

  it('tries again, ever less often, when a replacement cannot start', async () => {
    const pool = await started();
    pool.children[0]!.dies();
    const waiting = run(pool);
    for (const pause of [1000, 2000, 4000]) {
      pool.children.at(-1)!.unfit('no database');
      pool.children.at(-1)!.dies();
      const before = pool.children.length;
      await clock.advanceAsync(pause - 1);
      expect(pool.children).toHaveLength(before);
      await clock.advanceAsync(1);
      expect(pool.children).toHaveLength(before + 1);
    }
    expect(lines[2]).toBe('A pool child could not start, trying again in 4 s: no database');
    pool.children.at(-1)!.ready();
    pool.children.at(-1)!.done('7');
    expect(await waiting.outcome).toBe(7);
    const closed = pool.close();
    pool.children.at(-1)!.dies();
    await closed;
  });

  it('has the next child ready before the last task of one ends', async () => {
    const pool = await started({ maxTasksPerChild: 2 });
    const first = run(pool);
    pool.children[0]!.done('1');
    await first.outcome;
    const second = run(pool);
    expect(pool.children).toHaveLength(2);
    const third = run(pool);
    pool.children[1]!.ready();
    expect(pool.children[1]!.orders).toEqual([]);
    pool.children[0]!.done('2');
    expect(await second.outcome).toBe(2);
    expect(pool.children[0]!.state).toBe('released');
    expect(pool.children[1]!.orders).toHaveLength(1);
    pool.children[0]!.dies('exitcode 0');
    pool.children[1]!.done('3');
    expect(await third.outcome).toBe(3);
    expect(pool.stats()).toMatchObject({ recycled: 1, lost: 0 });
    const closed = pool.close();
    pool.children[1]!.dies();
    await closed;
  });

  it('goes on with a child that is too large until the next is ready', async () => {
    const pool = await started({ maxMemoryPerChild: 100 });
    const first = run(pool);
    pool.children[0]!.done('1', 101);
    await first.outcome;
    expect(pool.children).toHaveLength(2);
    const second = run(pool);
    pool.children[1]!.ready();
    pool.children[0]!.done('2', 101);
    await second.outcome;
    expect(pool.children.map(({ state }) => state)).toEqual(['released', 'alive']);
    // It does not end by itself.
    await clock.advanceAsync(5000);
    expect(pool.children[0]!.state).toBe('killed');
    pool.children[0]!.dies();
    const closed = pool.close();
    pool.children[1]!.dies();
    await closed;
  });

  it('kills one run without harm to the next, whether it runs or waits', async () => {
    const pool = await started();
    const [running, waiting, last] = [run(pool), run(pool), run(pool)];
    const reason = new TaskRevokedError('terminated');
    pool.kill(waiting.id, reason);
    expect(await waiting.outcome).toBe(reason);
    expect(pool.children[0]!.state).toBe('alive');
    pool.kill(running.context, reason);
    expect(await running.outcome).toBe(reason);
    expect(pool.children[0]!.state).toBe('killed');
    // The child had just finished: too late.
    pool.children[0]!.done('1');
    pool.children[1]!.ready();
    pool.children[0]!.dies('signal 9 (SIGKILL)');
    pool.children[1]!.done('3');
    expect(await last.outcome).toBe(3);
    expect(pool.stats().lost).toBe(1);
    const closed = pool.close();
    pool.children[1]!.dies();
    await closed;
  });

  it('gives up a slot that cannot be added', async () => {
    const pool = await started();
    expect(pool.grow(1)).toBe(2);
    pool.children[1]!.unfit('no memory');
    pool.children[1]!.dies();
    expect(pool.size).toBe(1);
    expect(lines).toEqual(['The pool could not grow, a child could not start: no memory']);
    const closed = pool.close();
    pool.children[0]!.dies();
    await closed;
  });

  it('ends what runs when the deadline of its closing is over', async () => {
    const pool = await started({ size: 2 });
    const running = run(pool);
    const closed = pool.close({ deadline: 3000 });
    expect(pool.children.map(({ state }) => state)).toEqual(['alive', 'released']);
    pool.children[1]!.dies();
    await clock.advanceAsync(3000);
    expect(await running.outcome).toMatchObject({ name: 'WorkerLostError' });
    expect(pool.children[0]!.state).toBe('killed');
    pool.children[0]!.dies();
    await closed;
  });
});
