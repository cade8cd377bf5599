import { afterEach, describe, expect, it } from '@jest/globals';
import { OperationalError, type AsyncResult } from 'nestjs-celery';
import { durablePostgres, durableRedis, type OutageStore } from '../support/outage-store.js';
import { openClient, type TestClient } from '../support/store-case.js';
import { describeWithRedis } from '../support/stores.js';
import { RunNotes, WorkerProcess } from '../support/worker-process.js';

/** How long the store is away, seconds. */
const AWAY = process.env['CELERY_TEST_FULL'] === '1' ? 30 : 4;
const PUBLISH_TIMEOUT = 2;

describe('on postgres', () => {
  describeOutage(durablePostgres);
});
describeWithRedis('on redis', () => {
  describeOutage(durableRedis);
});

function describeOutage(openStore: () => Promise<OutageStore>): void {
  describe('a store that goes away under load and comes back', () => {
    let store: OutageStore | undefined;
    let client: TestClient | undefined;
    let worker: WorkerProcess | undefined;
    let notes: RunNotes | undefined;

    afterEach(async () => {
      await worker?.kill();
      await client?.close();
      await store?.close();
      notes?.remove();
    });

    it(
      'callers hear of it in time, the worker resumes by itself, and nothing accepted is lost',
      async () => {
        store = await openStore();
        notes = new RunNotes();
        client = await openClient({ ...store.settings, taskPublishTimeout: PUBLISH_TIMEOUT });
        worker = await WorkerProcess.start({
          env: {
            ...store.env,
            FIXTURE_RUNS: notes.file,
            // What was cut off on its way to the worker comes back when the lease is over.
            CELERY_BROKER_LEASE_DURATION: '3',
            CELERY_BROKER_LEASE_CHECK_INTERVAL: '1',
          },
          args: ['-c', '20'],
        });
        const load = new Load(client);
        load.start();
        await load.reaches(200);

        await store.stop();
        const refused = await load.nextRefusal;
        expect(refused).toBeInstanceOf(OperationalError);
        expect(refused.message).toMatch(/fixture\.once/);
        await worker.says(/Connection to broker lost/);
        await new Promise((resolve) => setTimeout(resolve, AWAY * 1000));
        await store.start();

        await worker.says(/Connected to [\s\S]*Connected to /, 30_000);
        await load.reaches(load.accepted.length + 200);
        await load.stop();

        expect(load.longestCall).toBeLessThan(PUBLISH_TIMEOUT * 1000 + 1000);
        const values = await Promise.all(
          load.accepted.map((result) => result.get({ timeout: 60 })),
        );
        expect(values).toEqual(load.accepted.map(({ id }) => id));
        // A task whose acknowledgement was cut off may run again; one outcome stands for each.
        const ran = new Set(notes.ids('begin'));
        expect(load.accepted.filter(({ id }) => !ran.has(id))).toEqual([]);
      },
      (AWAY + 90) * 1000,
    );
  });
}

/** A caller that never stops calling, one call after another. */
class Load {
  readonly accepted: AsyncResult[] = [];
  /** Milliseconds. */
  longestCall = 0;
  readonly nextRefusal: Promise<Error>;
  private refused!: (error: Error) => void;
  private ended: Promise<void> = Promise.resolve();
  private stopped = false;
  private readonly goals: { count: number; reached: () => void }[] = [];

  constructor(private readonly client: TestClient) {
    this.nextRefusal = new Promise((resolve) => {
      this.refused = resolve;
    });
  }

  start(): void {
    this.ended = this.run();
  }

  stop(): Promise<void> {
    this.stopped = true;
    return this.ended;
  }

  /** Resolves when so many calls were accepted. */
  reaches(count: number): Promise<void> {
    return new Promise((reached) => this.goals.push({ count, reached }));
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const begin = performance.now();
      try {
        this.accepted.push(await this.client.tasks.delay('fixture.once'));
      } catch (error) {
        this.refused(error as Error);
      }
      this.longestCall = Math.max(this.longestCall, performance.now() - begin);
      for (const { reached } of this.goals.filter(({ count }) => this.accepted.length >= count)) {
        reached();
      }
    }
  }
}
