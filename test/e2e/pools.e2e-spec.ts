import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { TimeLimitExceeded, WorkerLostError } from 'nestjs-celery';
import { describeOnEachStore, openClient, type TestClient } from '../support/store-case.js';
import { RunNotes, WorkerProcess } from '../support/worker-process.js';

/** Booting children takes its time, milliseconds. */
const LIMIT = 60_000;

for (const pool of ['prefork', 'threads']) {
  describeOnEachStore(`the pool ${pool}`, (store) => {
    let notes: RunNotes;
    let client: TestClient;
    let worker: WorkerProcess;

    beforeAll(async () => {
      notes = new RunNotes();
      client = await openClient(store().settings);
      worker = await WorkerProcess.start({
        env: { ...store().env, FIXTURE_RUNS: notes.file },
        args: ['-P', pool, '-c', '2'],
      });
    }, LIMIT);

    afterAll(async () => {
      await worker.kill();
      await client.close();
      notes.remove();
    });

    const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
      promise.catch((thrown: unknown) => thrown);

    /** Whatever came before, the worker still works. */
    afterEach(async () => {
      const result = await client.tasks.delay('fixture.add', 20, 22);
      await result.get({ timeout: 20 });
    });

    it(
      'runs tasks elsewhere, values and errors keep their types',
      async () => {
        const pid = await client.tasks.delay('fixture.pid');
        const value = await pid.get({ timeout: 20 });
        expect(value === worker.pid).toBe(pool === 'threads');
        const typed = await client.tasks.delay('fixture.returnsTyped');
        expect(await typed.get({ timeout: 20 })).toMatchObject({ big: 12n, at: new Date(0) });
        const failed = await client.tasks.delay('fixture.throwsRange');
        expect(await errorOf(failed.get({ timeout: 20 }))).toBeInstanceOf(RangeError);
      },
      LIMIT,
    );

    it(
      'ends a task that blocks within a second of its hard limit',
      async () => {
        const call = await client.tasks.applyAsync('fixture.block', [30], { timeLimit: 1 });
        await notes.reach('begin', notes.ids('begin').length + 1);
        const begin = performance.now();
        expect(await errorOf(call.get({ timeout: 20 }))).toBeInstanceOf(TimeLimitExceeded);
        expect(performance.now() - begin).toBeLessThan(2500);
      },
      LIMIT,
    );

    it(
      'tells a task of its soft limit, and takes what it makes of it',
      async () => {
        const call = await client.tasks.applyAsync('fixture.untilAborted', [], {
          softTimeLimit: 0.5,
        });
        expect(await call.get({ timeout: 20 })).toBe('SoftTimeLimitExceeded');
      },
      LIMIT,
    );

    it(
      'loses one task with a child that exits',
      async () => {
        const lost = await client.tasks.delay('fixture.exits');
        expect(await errorOf(lost.get({ timeout: 20 }))).toBeInstanceOf(WorkerLostError);
      },
      LIMIT,
    );
  });
}
