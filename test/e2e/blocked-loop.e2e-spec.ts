import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { describeOnEachStore, openClient, type TestClient } from '../support/store-case.js';
import { RunNotes, WorkerProcess } from '../support/worker-process.js';

const FULL = process.env['CELERY_TEST_FULL'] === '1';
/** Seconds. The task blocks for longer than a lease and a check together. */
const LEASE = FULL ? 30 : 2;
const BLOCK = FULL ? 40 : 6;

describeOnEachStore('a task that blocks the event loop', (store) => {
  let notes: RunNotes;
  let client: TestClient;
  let workers: WorkerProcess[] = [];

  beforeEach(async () => {
    notes = new RunNotes();
    client = await openClient(store().settings);
    const env = {
      ...store().env,
      CELERY_BROKER_LEASE_DURATION: String(LEASE),
      CELERY_BROKER_LEASE_CHECK_INTERVAL: '1',
      FIXTURE_RUNS: notes.file,
    };
    workers = await Promise.all([WorkerProcess.start({ env }), WorkerProcess.start({ env })]);
  });

  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.kill()));
    await client.close();
    notes.remove();
  });

  it(
    'runs once, although another worker is idle beside it',
    async () => {
      const result = await client.tasks.delay('fixture.block', BLOCK);
      expect(await result.get({ timeout: BLOCK + 20 })).toBe('unblocked');
      expect(notes.ids('begin')).toEqual([result.id]);
    },
    (BLOCK + 30) * 1000,
  );
});
