import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type AsyncResult,
  MaxRetriesExceededError,
  TaskRevokedError,
  WorkerLostError,
} from 'nestjs-celery';
import { openInProcess, type InProcessApp } from '../support/in-process.js';
import {
  describeOnEachStore,
  openClient,
  type StoreCase,
  type TestClient,
} from '../support/store-case.js';
import { RunNotes, WorkerProcess } from '../support/worker-process.js';

const LEASE = 3;
const CHECK = 1;

/** What `fixture.flaky` and `fixture.movesOn` saw in their last run. */
interface Seen {
  readonly eta: string | null;
  readonly expires: string | null;
  readonly headers: Readonly<Record<string, unknown>> | null;
  readonly id: string;
  readonly parentId: string | null;
  readonly priority: number;
  readonly queue: string;
  readonly retries: number;
  readonly rootId: string;
  readonly step?: number;
}

describeOnEachStore('retries', describeRetries);

describe('retries: on memory', () => {
  describeRetries(() => ({ name: 'redis', settings: { brokerUrl: 'memory://' }, env: {} }));
});

function describeRetries(store: () => StoreCase): void {
  let app: InProcessApp;
  let notes: RunNotes;

  beforeAll(async () => {
    app = await openInProcess(
      { ...store().settings, resultExtended: true },
      { queues: ['celery', 'other'] },
    );
  });

  afterAll(() => app.close());

  beforeEach(() => {
    notes = new RunNotes();
    process.env['FIXTURE_RUNS'] = notes.file;
  });

  afterEach(() => {
    delete process.env['FIXTURE_RUNS'];
    notes.remove();
  });

  /** The states that are told on the way to the end, from the first on. */
  function statesOf(result: AsyncResult): { readonly seen: string[]; stop(): void } {
    const seen: string[] = [];
    const stop = result.onMessage(({ status }) => void seen.push(status));
    return { seen, stop };
  }

  it('run under the same id, with RETRY and the error in between', async () => {
    const result = await app.tasks.applyAsync('fixture.flaky', [1, 1], { countdown: 0.2 });
    const retry = new Promise<void>((resolve) => {
      result.onMessage(({ status }) => {
        if (status === 'RETRY') resolve();
      });
    });
    await retry;
    expect(await result.state()).toBe('RETRY');
    expect(await result.ready()).toBe(false);
    expect(await result.info()).toEqual(new RangeError('run 0'));
    expect(await result.traceback()).toContain('RangeError: run 0');
    expect(await app.broker.locate(result.id)).toEqual({ queue: 'celery', state: 'delayed' });

    expect(await result.get({ timeout: 10 })).toMatchObject({ id: result.id, retries: 1 });
    expect(await result.retries()).toBe(1);
    expect(await result.state()).toBe('SUCCESS');
  });

  it('wait as long as they are told to', async () => {
    const begin = Date.now();
    const result = await app.tasks.delay('fixture.flaky', 2, 0.3);
    expect(await result.get({ timeout: 10 })).toMatchObject({ retries: 2 });
    expect(Date.now() - begin).toBeGreaterThanOrEqual(599);
  });

  it('keep what the call gave, the absolute expiry above all', async () => {
    const expires = new Date(Date.now() + 30_000);
    const result = await app.tasks.applyAsync('fixture.flaky', [2, 0.1], {
      expires,
      headers: { tenant: 'a' },
      priority: 4,
      queue: 'other',
      rootId: 'root',
      parentId: 'parent',
    });
    const seen = (await result.get({ timeout: 10 })) as Seen;
    expect(seen).toMatchObject({
      headers: { tenant: 'a' },
      parentId: 'parent',
      priority: 4,
      queue: 'other',
      retries: 2,
      rootId: 'root',
    });
    expect(Date.parse(seen.expires!)).toBe(expires.getTime());
  });

  it('whose time comes after the expiry end REVOKED', async () => {
    const result = await app.tasks.applyAsync('fixture.flaky', [1, 60], { expires: 1 });
    const states = statesOf(result);
    await expect(result.get({ timeout: 15 })).rejects.toThrow(new TaskRevokedError('expired'));
    states.stop();
    expect(await result.state()).toBe('REVOKED');
    expect(states.seen.at(-1)).toBe('REVOKED');
    expect(await app.broker.locate(result.id)).toBeUndefined();
  }, 20_000);

  it('change arguments, priority and headers', async () => {
    const result = await app.tasks.applyAsync('fixture.movesOn', [0], { headers: { tenant: 'a' } });
    expect(await result.get({ timeout: 10 })).toMatchObject({
      step: 3,
      retries: 3,
      priority: 2,
      headers: { tenant: 'a', step: 2 },
    });
  });

  it('end after maxRetries with the original error, or MaxRetriesExceededError', async () => {
    const withError = await app.tasks.delay('fixture.hopeless', true);
    const without = await app.tasks.delay('fixture.hopeless', false);
    await expect(withError.get({ timeout: 10 })).rejects.toThrow(new RangeError('run 3'));
    const exceeded: unknown = await without.get({ timeout: 10 }).catch((thrown: unknown) => thrown);
    expect(exceeded).toBeInstanceOf(MaxRetriesExceededError);
    expect((exceeded as Error).message).toBe(
      `Can't retry fixture.hopeless[${without.id}] args:(false,) kwargs:{}`,
    );
  });

  it('are made for autoretryFor, and for no other error', async () => {
    const range = await app.tasks.delay('fixture.automatic', 'range');
    const type = await app.tasks.delay('fixture.automatic', 'type');
    await expect(range.get({ timeout: 10 })).rejects.toThrow(new RangeError('run 2'));
    await expect(type.get({ timeout: 10 })).rejects.toThrow(new TypeError('run 0'));
  });

  it('come back when the error says: after seconds, or at a time', async () => {
    const begin = Date.now();
    const at = new Date(begin + 700);
    const seconds = await app.tasks.delay('fixture.limited', 0.5);
    const time = await app.tasks.delay('fixture.limited', at);
    expect(await seconds.get({ timeout: 10 })).toBeGreaterThanOrEqual(begin + 499);
    expect(await time.get({ timeout: 10 })).toBeGreaterThanOrEqual(at.getTime() - 1);
  });

  it('are not made for Reject, which puts the task back as redelivered', async () => {
    const result = await app.tasks.delay('fixture.secondPass');
    expect(await result.get({ timeout: 10 })).toBe('second-pass');
    expect(await result.retries()).toBe(0);
  });

  it('are not made for an unacknowledged failure, which runs again up to the cap', async () => {
    const result = await app.tasks.delay('fixture.unacknowledged');
    await expect(result.get({ timeout: 10 })).rejects.toThrow(new RangeError('no'));
    expect(notes.ids('begin')).toEqual(Array.from({ length: 4 }, () => result.id));
    const [letter] = await app.broker.deadLetters('celery');
    expect(letter).toMatchObject({
      id: result.id,
      reason: expect.stringContaining('task_max_redeliveries (3)'),
    });
  });
}

describeOnEachStore('a task that runs once at most', (store) => {
  let client: TestClient;
  let notes: RunNotes;
  const workers: WorkerProcess[] = [];

  const startWorker = async (): Promise<WorkerProcess> => {
    const worker = await WorkerProcess.start({
      env: {
        ...store().env,
        CELERY_BROKER_LEASE_DURATION: String(LEASE),
        CELERY_BROKER_LEASE_CHECK_INTERVAL: String(CHECK),
        CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT: '0.5',
        FIXTURE_RUNS: notes.file,
      },
    });
    workers.push(worker);
    return worker;
  };

  beforeEach(async () => {
    notes = new RunNotes();
    client = await openClient(store().settings);
  });

  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.kill()));
    await client.close();
    notes.remove();
  });

  it.each([
    ['a kill', 'SIGKILL', null],
    ['a cold shutdown', 'SIGTERM', 0],
  ] as const)(
    'ends WorkerLostError after %s, and is not run again',
    async (_what, signal, exitCode) => {
      const first = await startWorker();
      const result = await client.tasks.delay('fixture.atMostOnce', 60);
      await notes.reach('begin', 1);
      first.signal(signal);
      expect(await first.exited).toBe(exitCode);
      expect(first.output).not.toContain('Restoring');
      await startWorker();
      const error: unknown = await result.get({ timeout: 20 }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(WorkerLostError);
      expect((error as Error).message).toMatch(/^Worker exited prematurely: /);
      expect(notes.ids('begin')).toEqual([result.id]);
    },
    40_000,
  );
});
