import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { describeOnEachStore, openClient, type TestClient } from '../support/store-case.js';
import { RunNotes, WorkerProcess } from '../support/worker-process.js';

/** Seconds; the default is 30 and 5. `CELERY_TEST_FULL=1` runs with the defaults. */
const FULL = process.env['CELERY_TEST_FULL'] === '1';
const LEASE = FULL ? 30 : 3;
const CHECK = FULL ? 5 : 1;
const TASKS = 50;
/** Seconds that a task takes. */
const NAP = FULL ? 5 : 2;
/** All have ended so soon after the kill, seconds; 40 is what is promised with the defaults. */
const RECOVERY = FULL ? 40 : LEASE + CHECK + NAP + 5;

describeOnEachStore('a worker that is killed', (store) => {
  let notes: RunNotes;
  let client: TestClient;
  const workers: WorkerProcess[] = [];

  const startWorker = async (): Promise<WorkerProcess> => {
    const worker = await WorkerProcess.start({
      env: {
        ...store().env,
        CELERY_BROKER_LEASE_DURATION: String(LEASE),
        CELERY_BROKER_LEASE_CHECK_INTERVAL: String(CHECK),
        FIXTURE_RUNS: notes.file,
      },
      args: ['-c', String(TASKS)],
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

  it(
    'has its running tasks run again, each with one result',
    async () => {
      const first = await startWorker();
      const results = await Promise.all(
        Array.from({ length: TASKS }, (_, index) => client.tasks.delay('fixture.nap', NAP, index)),
      );
      await notes.reach('begin', TASKS);
      await first.kill();
      const killedAt = Date.now();

      await startWorker();
      const values = await Promise.all(results.map((result) => result.get({ timeout: 60 })));

      expect(values).toEqual(results.map((_, index) => index));
      expect(Date.now() - killedAt).toBeLessThan(RECOVERY * 1000);
      // Every task began twice and ended once: the first time it did not get so far.
      expect(notes.ids('end').toSorted()).toEqual(results.map(({ id }) => id).toSorted());
      expect(notes.ids('begin')).toHaveLength(2 * TASKS);
      expect(await client.broker.counts('celery')).toEqual({
        waiting: 0,
        delayed: 0,
        active: 0,
        dead: 0,
      });
    },
    FULL ? 90_000 : 40_000,
  );
});
