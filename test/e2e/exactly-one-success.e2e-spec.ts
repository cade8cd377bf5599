import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { describeOnEachStore, openClient, type TestClient } from '../support/store-case.js';
import { RunNotes, WorkerProcess } from '../support/worker-process.js';

const FULL = process.env['CELERY_TEST_FULL'] === '1';
const COUNTS = FULL ? { redis: 100_000, postgres: 20_000 } : { redis: 10_000, postgres: 2_000 };
const CHUNK = 1000;

describeOnEachStore('many tasks through one worker', (store) => {
  let notes: RunNotes;
  let client: TestClient;
  let worker: WorkerProcess | undefined;

  beforeEach(async () => {
    notes = new RunNotes();
    client = await openClient(store().settings);
  });

  afterEach(async () => {
    await worker?.kill();
    await client.close();
    notes.remove();
  });

  it('end with exactly one success each: none lost, none run twice', async () => {
    const count = COUNTS[store().name];
    const ids: string[] = [];
    for (let from = 0; from < count; from += CHUNK) {
      const calls = Array.from({ length: CHUNK }, () => client.tasks.delay('fixture.once'));
      ids.push(...(await Promise.all(calls)).map(({ id }) => id));
    }
    worker = new WorkerProcess({
      env: { ...store().env, FIXTURE_RUNS: notes.file },
      args: ['-c', '50', '-l', 'warning'],
    });
    await notes.reach('begin', count, 240_000);
    expect(await worker.stop()).toBe(0);
    worker = undefined;

    expect(notes.ids('begin').toSorted()).toEqual(ids.toSorted());
    for (let from = 0; from < count; from += CHUNK) {
      const chunk = ids.slice(from, from + CHUNK);
      const payloads = await client.broker.results.getMany(chunk);
      const metas = payloads.map((text) => JSON.parse(text ?? '{}') as Record<string, unknown>);
      expect(metas.map(({ status }) => status)).toEqual(chunk.map(() => 'SUCCESS'));
      expect(metas.map(({ result }) => result)).toEqual(chunk);
    }
    expect(await client.broker.counts('celery')).toEqual({
      waiting: 0,
      delayed: 0,
      active: 0,
      dead: 0,
    });
  }, 300_000);
});
