import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { TimeLimitExceeded } from 'nestjs-celery';
import { describeOnEachStore, openClient, type TestClient } from '../support/store-case.js';
import { RunNotes, WorkerProcess } from '../support/worker-process.js';

describeOnEachStore('time limits in the async pool', (store) => {
  let notes: RunNotes;
  let client: TestClient;
  let worker: WorkerProcess;

  const start = (): Promise<WorkerProcess> =>
    WorkerProcess.start({ env: { ...store().env, FIXTURE_RUNS: notes.file } });

  beforeEach(async () => {
    notes = new RunNotes();
    client = await openClient(store().settings);
    worker = await start();
  });

  afterEach(async () => {
    await worker.kill();
    await client.close();
    notes.remove();
  });

  it('end a task that waits, and its slot is free at once', async () => {
    const call = await client.tasks.applyAsync('fixture.nap', [60], { timeLimit: 0.5 });
    const error: unknown = await call.get({ timeout: 10 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TimeLimitExceeded);
    const next = await client.tasks.delay('fixture.add', 1, 2);
    expect(await next.get({ timeout: 10 })).toBe(3);
  });

  it('end the process of a task that blocks; the next worker records it', async () => {
    const call = await client.tasks.applyAsync('fixture.block', [60], { timeLimit: 1 });
    await notes.reach('begin', 1);
    expect(await worker.exited).toBeNull();

    worker = await start();
    const error: unknown = await call.get({ timeout: 20 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TimeLimitExceeded);
    expect(notes.ids('begin')).toEqual([call.id]);
  }, 40_000);

  it('abort self.signal at the soft limit', async () => {
    const call = await client.tasks.applyAsync('fixture.untilAborted', [], { softTimeLimit: 0.3 });
    expect(await call.get({ timeout: 10 })).toBe('SoftTimeLimitExceeded');
  });
});
