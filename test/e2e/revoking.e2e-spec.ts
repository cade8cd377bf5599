import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { TaskRevokedError, type AsyncResult } from 'nestjs-celery';
import { openInProcess, type InProcessApp } from '../support/in-process.js';
import {
  describeOnEachStore,
  openClient,
  type StoreCase,
  type TestClient,
} from '../support/store-case.js';
import { RunNotes, WorkerProcess } from '../support/worker-process.js';

describeOnEachStore('revoking', describeRevoking);
describe('revoking: on memory', () => {
  describeRevoking(() => ({ name: 'redis', settings: { brokerUrl: 'memory://' }, env: {} }));
});

/** Why a task that has to end REVOKED did. */
async function revokedAs(result: AsyncResult): Promise<string> {
  const error: unknown = await result.get({ timeout: 20 }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(TaskRevokedError);
  expect(await result.state()).toBe('REVOKED');
  return (error as Error).message;
}

function describeRevoking(store: () => StoreCase): void {
  describe('a task', () => {
    let app: InProcessApp;
    let notes: RunNotes;

    beforeAll(async () => {
      app = await openInProcess(store().settings);
    });

    beforeEach(() => {
      notes = new RunNotes();
      process.env['FIXTURE_RUNS'] = notes.file;
    });

    afterEach(() => {
      delete process.env['FIXTURE_RUNS'];
      notes.remove();
    });

    afterAll(() => app.close());

    it('that is delayed ends at once, and never runs', async () => {
      const delayed = await app.tasks.applyAsync('fixture.once', [], { countdown: 0.4 });
      expect(await delayed.revoke()).toBe('ended');
      expect(await revokedAs(delayed)).toBe('revoked');
      expect(await app.broker.locate(delayed.id)).toBeUndefined();
      const later = await app.tasks.applyAsync('fixture.once', [], { countdown: 0.5 });
      await later.get({ timeout: 10 });
      expect(notes.ids('begin')).toEqual([later.id]);
    });

    it('that runs is told, and its own outcome stands', async () => {
      const running = await app.tasks.delay('fixture.untilAborted');
      await notes.reach('begin', 1);
      expect(await running.revoke()).toBe('active');
      expect(await running.get({ timeout: 10 })).toBe('TaskRevokedError');
      expect(await running.state()).toBe('SUCCESS');
    });

    it('that runs and throws what it was told ends REVOKED', async () => {
      const running = await app.tasks.delay('fixture.untilAborted', true);
      await notes.reach('begin', 1);
      expect(await running.revoke()).toBe('active');
      expect(await revokedAs(running)).toBe('revoked');
    });

    it('that runs and is terminated ends REVOKED, whatever it does', async () => {
      const running = await app.tasks.delay('fixture.untilAborted');
      await notes.reach('begin', 1);
      await notes.reach('begin', 1);
      expect(await running.revoke({ terminate: true })).toBe('active');
      expect(await revokedAs(running)).toBe('terminated');
    });

    it('that is not there yet does not run when it comes', async () => {
      const taskId = `later-${Date.now()}`;
      const early = app.tasks.result(taskId);
      expect(await early.revoke()).toBe('unknown');
      expect(await revokedAs(early)).toBe('revoked');
      await app.tasks.applyAsync('fixture.once', [], { taskId });
      const next = await app.tasks.delay('fixture.once');
      await next.get({ timeout: 10 });
      expect(notes.ids('begin')).toEqual([next.id]);
    });

    it('that has ended keeps its outcome', async () => {
      const done = await app.tasks.delay('fixture.add', 1, 2);
      await done.get({ timeout: 10 });
      expect(await done.revoke()).toBe('unknown');
      expect(await app.tasks.result(done.id).get({ timeout: 10 })).toBe(3);
    });
  });
}

describeOnEachStore('terminating in a child process', (store) => {
  let notes: RunNotes;
  let client: TestClient;
  let worker: WorkerProcess;

  beforeAll(async () => {
    notes = new RunNotes();
    client = await openClient(store().settings);
    worker = await WorkerProcess.start({
      env: { ...store().env, FIXTURE_RUNS: notes.file },
      args: ['-P', 'prefork', '-c', '1'],
    });
  }, 30_000);

  afterAll(async () => {
    await worker.kill();
    await client.close();
    notes.remove();
  });

  it('ends a task that blocks, and the worker goes on', async () => {
    const blocked = await client.tasks.delay('fixture.block', 60);
    await notes.reach('begin', 1);
    expect(await blocked.revoke({ terminate: true })).toBe('active');
    expect(await revokedAs(blocked)).toBe('terminated');
    const next = await client.tasks.delay('fixture.add', 1, 1);
    expect(await next.get({ timeout: 20 })).toBe(2);
  }, 40_000);
});
