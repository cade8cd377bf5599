import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { EncodeError, NotRegistered, TaskFailure, type AsyncResult } from 'nestjs-celery';
import { plantGarbage } from '../support/garbage.js';
import { describeOnEachStore, openClient, type TestClient } from '../support/store-case.js';
import { WorkerProcess } from '../support/worker-process.js';

/** The error of a task that has to fail. */
async function failureOf(result: AsyncResult): Promise<Error> {
  const error: unknown = await result.get({ timeout: 10 }).catch((thrown: unknown) => thrown);
  expect(await result.state()).toBe('FAILURE');
  return error as Error;
}

describeOnEachStore('bad input', (store) => {
  let client: TestClient;
  let worker: WorkerProcess;

  beforeAll(async () => {
    client = await openClient(store().settings);
    worker = await WorkerProcess.start({
      env: { ...store().env, CELERY_TASK_UNKNOWN_GRACE: '1' },
    });
  });

  afterAll(async () => {
    await worker.kill();
    await client.close();
  });

  /** Whatever came before, the worker still works. */
  beforeEach(async () => {
    const result = await client.tasks.delay('fixture.add', 20, 22);
    await result.get({ timeout: 10 });
  });

  it('an argument that cannot be encoded is refused at the call, with its path', async () => {
    const argument = { user: { onClick: () => 1 } };
    const error: unknown = await client.tasks
      .delay('fixture.add', argument, 1)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EncodeError);
    expect((error as EncodeError).path).toBe('args[0].user.onClick');
  });

  it('an argument of 5 MB is refused at the call, with its size', async () => {
    const error: unknown = await client.tasks
      .delay('fixture.add', 'x'.repeat(5 * 1024 * 1024), 1)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EncodeError);
    expect((error as Error).message).toMatch(/5242\d{3} bytes[\s\S]*task_max_payload_bytes/);
  });

  it('an unknown task fails after its grace', async () => {
    const error = await failureOf(await client.tasks.sendTask('no.such.task'));
    expect(error).toBeInstanceOf(NotRegistered);
    expect(error.message).toMatch(/no\.such\.task/);
  });

  it('a task that returns what cannot be encoded fails, with the path', async () => {
    const error = await failureOf(await client.tasks.delay('fixture.returnsFunction'));
    expect(error).toBeInstanceOf(EncodeError);
    expect(error.message).toMatch(/result\.handlers\[0\]/);
  });

  it('a task that throws a string fails, and says so', async () => {
    const error = await failureOf(await client.tasks.delay('fixture.throwsString'));
    expect(error).toBeInstanceOf(TaskFailure);
    expect(error.message).toMatch(/just a string/);
  });

  it('a task that throws undefined fails, and says so', async () => {
    const error = await failureOf(await client.tasks.delay('fixture.throwsUndefined'));
    expect(error.message).toMatch(/undefined/);
  });

  it('an error of a known class comes back as one', async () => {
    const error = await failureOf(await client.tasks.delay('fixture.throwsRange'));
    expect(error).toBeInstanceOf(RangeError);
    expect(error.message).toBe('out of range');
  });

  it('values keep their types, and nothing is null', async () => {
    const nothing = await client.tasks.delay('fixture.returnsNothing');
    expect(await nothing.get({ timeout: 10 })).toBeNull();
    const typed = await client.tasks.delay('fixture.returnsTyped');
    expect(await typed.get({ timeout: 10 })).toEqual({
      at: new Date(0),
      big: 12n,
      bytes: Buffer.from('ab'),
      set: new Set([1]),
    });
  });

  it('garbage in the queue goes to the dead-letter list, and is never shown in the log', async () => {
    const planted = await plantGarbage(store());
    for (const id of planted) {
      // Who waits for it is told.
      await failureOf(client.tasks.result(id));
    }
    const letters = await client.broker.deadLetters('celery');
    expect(letters.map(({ id }) => id).toSorted()).toEqual(planted.toSorted());
    for (const { reason } of letters) {
      expect(reason).toMatch(/\.$/);
      expect(reason).not.toMatch(/hush-hush/);
    }
    expect(worker.output).toMatch(/Received invalid task message/);
    expect(worker.output).not.toMatch(/hush-hush/);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
