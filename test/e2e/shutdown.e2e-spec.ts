import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { describeOnEachStore, openClient, type TestClient } from '../support/store-case.js';
import { RunNotes, WorkerProcess } from '../support/worker-process.js';

describeOnEachStore('a shutdown', (store) => {
  let notes: RunNotes;
  let client: TestClient;
  let worker: WorkerProcess;

  const start = (env: Record<string, string> = {}): Promise<WorkerProcess> =>
    WorkerProcess.start({ env: { ...store().env, ...env, FIXTURE_RUNS: notes.file } });

  beforeEach(async () => {
    notes = new RunNotes();
    client = await openClient(store().settings);
    await client.broker.purge('celery');
    worker = await start();
  });

  afterEach(async () => {
    await worker.kill();
    await client.broker.purge('celery');
    await client.close();
    notes.remove();
  });

  it('by one signal is warm: what runs ends, what waits stays, and the exit code is 0', async () => {
    const running = await client.tasks.delay('fixture.nap', 1.5, 'done');
    await notes.reach('begin', 1);
    worker.signal('SIGTERM');
    await worker.says(/Warm shutdown/);
    const waiting = await client.tasks.delay('fixture.add', 1, 1);

    expect(await worker.exited).toBe(0);
    expect(await running.get({ timeout: 5 })).toBe('done');
    expect(await waiting.state()).toBe('PENDING');
    expect(await client.broker.locate(waiting.id)).toEqual({ queue: 'celery', state: 'waiting' });
  });

  it('by two signals at once, as from a terminal, is still warm', async () => {
    const running = await client.tasks.delay('fixture.nap', 1.5, 'done');
    await notes.reach('begin', 1);
    worker.signal('SIGINT');
    worker.signal('SIGINT');

    expect(await worker.exited).toBe(0);
    expect(await running.get({ timeout: 5 })).toBe('done');
    expect(worker.output).not.toMatch(/Cold shutdown/);
  });

  it('by a second signal is cold: a task that never ends is handed back at once', async () => {
    const stuck = await client.tasks.delay('fixture.never');
    await notes.reach('begin', 1);
    worker.signal('SIGTERM');
    await worker.says(/Warm shutdown/);
    // Signals within a second count as one.
    await new Promise((resolve) => setTimeout(resolve, 1100));
    worker.signal('SIGTERM');

    expect(await worker.exited).toBe(1);
    expect(worker.output).toMatch(/Cold shutdown/);
    expect(worker.output).toMatch(/Restoring 1 unacknowledged message/);
    expect(await client.broker.locate(stuck.id)).toEqual({ queue: 'celery', state: 'waiting' });
  });

  it('is bounded by worker_soft_shutdown_timeout', async () => {
    await worker.kill();
    worker = await start({ CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT: '0.5' });
    const stuck = await client.tasks.delay('fixture.never');
    await notes.reach('begin', 1);
    worker.signal('SIGTERM');

    expect(await worker.exited).toBe(0);
    expect(await client.broker.locate(stuck.id)).toEqual({ queue: 'celery', state: 'waiting' });
  });
});
