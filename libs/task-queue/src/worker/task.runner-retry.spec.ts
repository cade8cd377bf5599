import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ElsewhereBackend, Harness, type Body } from '../../../../test/support/runner-harness.js';
import type { Delivery, OutgoingTask } from '../brokers/broker.port.js';
import { Reject, TimeLimitExceeded } from '../errors/task-queue.errors.js';
import { decodeArgs, decodeEnvelope, type TaskHeaders } from '../messages/index.js';
import { decodeMeta } from '../results/index.js';
import type { Ending } from './ending.interface.js';

type RetryEnding = Extract<Ending, { kind: 'retry' }>;

const NOW = Date.UTC(2026, 0, 1);

let harness: Harness;
beforeEach(() => {
  harness = new Harness();
});

/** Runs a delivery that is put back, and says so to the log as the pump does. */
async function putBack(fields: Partial<Delivery> = {}): Promise<RetryEnding> {
  const ending = await harness.run(fields);
  expect(ending.kind).toBe('retry');
  (ending as RetryEnding).recorded?.();
  return ending as RetryEnding;
}

function read({ data }: OutgoingTask) {
  const { headers, payload } = decodeEnvelope(data, {
    acceptContent: new Set(['application/json']),
  });
  return { headers: headers as TaskHeaders & { put_back?: number }, ...decodeArgs(payload) };
}

describe('a task that is retried', () => {
  it('runs again under its id, with one more in retries', async () => {
    harness.task('task', (self) => self.retry({ countdown: 3 }));
    const { task } = await putBack({ data: harness.message([2, 3], { retries: 1 }) });
    expect(task).toEqual({
      id: 'id-1',
      name: 'task',
      queue: 'celery',
      data: expect.any(String),
      dueAt: NOW + 3000,
    });
    expect(read(task)).toEqual({
      headers: { retries: 2, eta: '2026-01-01T00:00:03.000+00:00' },
      args: [2, 3],
      kwargs: {},
    });
  });

  it('is RETRY in between, with the error, and is told in Celery words', async () => {
    harness.task('task', (self) => self.retry({ exc: new RangeError('boom'), countdown: 3 }));
    const { outcome } = await putBack();
    expect(outcome.record?.status).toBe('RETRY');
    expect(decodeMeta(outcome.record!.payload)).toMatchObject({
      status: 'RETRY',
      result: { exc_type: 'RangeError', exc_message: ['boom'], exc_module: 'builtins' },
      traceback: expect.stringContaining('RangeError: boom'),
      date_done: null,
      task_id: 'id-1',
    });
    expect(harness.lines).toEqual([
      'log: Task task[id-1] received',
      "log: Task task[id-1] retry: Retry in 3s: RangeError('boom')",
    ]);
  });

  it('without an error is RETRY with the Retry itself, without the arguments', async () => {
    harness.task('task', (self) => self.retry({ countdown: 3, args: ['hunter2'] }));
    const { outcome } = await putBack();
    expect(decodeMeta(outcome.record!.payload).result).toEqual({
      exc_type: 'Retry',
      exc_message: ['Retry in 3s'],
      exc_module: 'nestjs-celery',
      exc_data: { when: 3 },
    });
    expect(outcome.record!.payload).not.toContain('hunter2');
  });

  it('stores nothing in between when its result is ignored', async () => {
    harness.task('task', (self) => self.retry(), {
      ignoreResult: true,
      storeErrorsEvenIfIgnored: true,
    });
    expect((await putBack()).outcome).toEqual({});
  });

  it('keeps all that the call gave, the absolute expiry too', async () => {
    harness.task('task', (self) => self.retry({ countdown: 30 }));
    const headers = {
      root_id: 'root',
      parent_id: 'parent',
      group: 'group',
      group_index: 2,
      origin: 'gen1@host',
      shadow: 'shown',
      headers: { tenant: 'a' },
      priority: 7,
      expires: '2026-01-01T00:00:20.000+00:00',
      argsrepr: '(*)',
      ignore_result: false,
      stamped_headers: ['s'],
      stamps: { s: 1 },
      timelimit: [10, 5] as const,
      from_the_future: { kept: true },
    };
    const { task } = await putBack({
      data: harness.message([1], headers),
      lease: { id: 'id-1', queue: 'mail', token: 't' },
    });
    expect(task).toMatchObject({
      queue: 'mail',
      priority: 7,
      dueAt: NOW + 30_000,
      expiresAt: NOW + 20_000,
    });
    expect(read(task).headers).toEqual({
      ...headers,
      retries: 1,
      eta: '2026-01-01T00:00:30.000+00:00',
    });
  });

  it('changes what it is told to', async () => {
    harness.task('task', (self) =>
      self.retry({
        args: [9],
        kwargs: { a: new Date(0) },
        countdown: 0,
        queue: 'slow',
        priority: 2,
        expires: 60,
        headers: { try: 2 },
        shadow: 'other',
      }),
    );
    const before = { headers: { tenant: 'a' }, argsrepr: '(1,)', kwargsrepr: '{*}', priority: 7 };
    const { task } = await putBack({ data: harness.message([1], before) });
    expect(task).toMatchObject({ queue: 'slow', priority: 2, expiresAt: NOW + 60_000 });
    expect(task).not.toHaveProperty('dueAt');
    const { args, headers, kwargs } = read(task);
    expect(args).toEqual([9]);
    expect(kwargs).toEqual({ a: new Date(0) });
    expect(headers).toEqual({
      retries: 1,
      headers: { tenant: 'a', try: 2 },
      shadow: 'other',
      priority: 2,
      expires: '2026-01-01T00:01:00.000+00:00',
    });
  });

  it('has its arguments as they came, whatever it did to them', async () => {
    harness.task('task', (self, list) => {
      (list as unknown[]).push(() => 1);
      return self.retry();
    });
    expect(read((await putBack({ data: harness.message([['a']]) })).task).args).toEqual([['a']]);
  });

  it('at a time that is past runs at once', async () => {
    harness.task('task', (self) => self.retry({ eta: new Date(NOW - 1) }));
    const { task } = await putBack();
    expect(task).not.toHaveProperty('dueAt');
    expect(read(task).headers).toEqual({ retries: 1 });
  });

  it('ends FAILURE with its error when no retry is left', async () => {
    harness.task('task', (self) => self.retry({ exc: new RangeError('boom') }), { maxRetries: 1 });
    await putBack();
    const { failure } = await harness.finish({ data: harness.message([], { retries: 1 }) });
    expect(failure.exc_type).toBe('RangeError');
    expect(harness.lines.at(-1)).toMatch(/^error: Task task\[id-1\] raised unexpected: RangeError/);
  });

  it('ends FAILURE when the next run cannot be put into a message, with what came before', async () => {
    const exc = new RangeError('boom');
    harness.task('task', (self) => self.retry({ exc, args: [() => 1] }));
    const { failure } = await harness.finish();
    expect(failure).toMatchObject({
      exc_type: 'EncodeError',
      exc_cause: { exc_type: 'RangeError' },
    });
  });

  it('stores RETRY elsewhere first, and is retried also when that fails', async () => {
    let backend!: ElsewhereBackend;
    harness = new Harness({}, (broker) => (backend = new ElsewhereBackend(broker)));
    harness.task('task', (self) => self.retry({ countdown: 3 }));
    const { outcome } = await putBack();
    expect(outcome).toEqual({ announce: await backend.get('id-1') });
    backend.failures = 1;
    await putBack();
    expect(harness.lines.join('\n')).toContain('warn: The state RETRY of id-1 could not be stored');
  });

  it('is retried although its state cannot be written', async () => {
    harness = new Harness({ resultExtended: true });
    harness.task('task', (self, list) => {
      (list as unknown[]).push(() => 1);
      return self.retry();
    });
    expect((await putBack({ data: harness.message([[]]) })).outcome).toEqual({});
    expect(harness.lines[1]).toMatch(/^warn: The state RETRY of id-1 could not be stored/);
  });
});

describe('a task that was revoked', () => {
  it('ends REVOKED without running', async () => {
    const body = jest.fn<Body>();
    harness.task('task', body);
    const { failure, meta } = await harness.finish({ revoked: true });
    expect(meta?.status).toBe('REVOKED');
    expect(failure).toMatchObject({ exc_type: 'TaskRevokedError', exc_message: ['revoked'] });
    expect(harness.lines).toEqual(['log: Discarding revoked task: task[id-1]']);
    expect(body).not.toHaveBeenCalled();
  });

  it('ends so also when nobody knows it', async () => {
    expect((await harness.finish({ name: 'other', revoked: true })).meta?.status).toBe('REVOKED');
  });
});

describe('Reject with requeue', () => {
  const reject: Body = () => {
    throw new Reject('later', true);
  };

  it('puts the task back as it is, and the next run sees that', async () => {
    harness.task('task', ({ request }) => {
      if (!request.deliveryInfo.redelivered) throw new Reject('later', true);
      return 'second-pass';
    });
    const headers = { retries: 2, priority: 3, eta: '2025-12-31T00:00:00+00:00' };
    const { outcome, task } = await putBack({ data: harness.message([1], headers) });
    expect(outcome).toEqual({});
    expect(task).toMatchObject({ id: 'id-1', queue: 'celery', priority: 3 });
    expect(read(task)).toMatchObject({ args: [1], headers: { retries: 2, put_back: 1 } });
    expect(read(task).headers).not.toHaveProperty('eta');
    expect(harness.lines.at(-1)).toBe('warn: Task task[id-1] reject requeue=yes');
    const { meta } = await harness.finish({ data: task.data });
    expect(meta?.result).toBe('second-pass');
  });

  it('is bounded by task_max_redeliveries, which counts lost workers too', async () => {
    harness = new Harness({ taskMaxRedeliveries: 2 }).task('task', reject);
    const { task } = await putBack();
    const { ending, failure } = await harness.finish({ data: task.data, redeliveries: 1 });
    expect(failure.exc_type).toBe('Reject');
    expect(ending.outcome.deadLetter).toMatch(/^later It was delivered again 2 times/);
  });

  it('is a plain Reject for a task that runs once at most', async () => {
    harness.task('task', reject, { acksLate: false });
    const { ending, failure } = await harness.finish();
    expect(failure.exc_type).toBe('Reject');
    expect(ending.outcome.deadLetter).toBe('later');
    expect(harness.lines.at(-1)).toBe('warn: Task task[id-1] reject requeue=no');
  });

  it('is forgotten by a retry', async () => {
    harness.task('task', (self) => self.retry());
    const data = harness.message([], { put_back: 2 } as TaskHeaders);
    expect(read((await putBack({ data })).task).headers).not.toHaveProperty('put_back');
  });

  it.each(['3', -1, 1.5, null])('a count of %p in a message counts nothing', async (put_back) => {
    harness.task('task', ({ request }) => request.deliveryInfo.redelivered);
    const data = harness.message([], { put_back } as unknown as TaskHeaders);
    expect((await harness.finish({ data })).meta?.result).toBe(false);
  });
});

describe('a task whose worker was lost', () => {
  it.each([
    [{ acksLate: false }, {}],
    [{ acksLate: false, rejectOnWorkerLost: true }, {}],
    [{ rejectOnWorkerLost: false }, {}],
    [{}, { taskAcksLate: false }],
    [{}, { taskRejectOnWorkerLost: false }],
  ])('is not run again with %j and the settings %j', async (options, settings) => {
    harness = new Harness(settings);
    const body = jest.fn<Body>();
    harness.task('task', body, options);
    expect((await harness.finish()).meta?.status).toBe('SUCCESS');
    const { ending, failure, meta } = await harness.finish({ redeliveries: 1 });
    expect(meta?.status).toBe('FAILURE');
    expect(failure.exc_type).toBe('WorkerLostError');
    expect(String(failure.exc_message)).toMatch(/^Worker exited prematurely: /);
    expect(ending.outcome).not.toHaveProperty('deadLetter');
    expect(harness.lines.at(-1)).toMatch(
      /^error: Task task\[id-1\] raised unexpected: WorkerLostError\('Worker exited prematurely/,
    );
    expect(body).toHaveBeenCalledTimes(1);
  });

  it.each([
    [{ acksLate: true }, { taskAcksLate: false }],
    [{ rejectOnWorkerLost: true }, { taskRejectOnWorkerLost: false }],
    [{}, {}],
  ])('is run again with %j and the settings %j', async (options, settings) => {
    harness = new Harness(settings).task('task', () => 1, options);
    expect((await harness.finish({ redeliveries: 1 })).meta?.status).toBe('SUCCESS');
  });

  it('may be handed back in a cold stop unless it has begun and runs once at most', async () => {
    const answers: boolean[] = [];
    const lease = { id: 'id-1', queue: 'celery', token: 't' };
    const ask = (): void => void answers.push(harness.runner.mayHandBack(lease));
    harness.task('once', ask, { acksLate: false }).task('late', ask);
    ask();
    await harness.finish({ name: 'once', lease });
    await harness.finish({ name: 'late', lease });
    expect(answers).toEqual([true, false, true]);
  });
});

describe('a task that fails unacknowledged', () => {
  const fail: Body = () => {
    throw new RangeError('boom');
  };

  it.each([
    [{ acksOnFailure: false }, {}],
    [{}, { taskAcksOnFailure: false }],
    [{}, { taskAcksOnFailureOrTimeout: false }],
  ])('is put back with %j and the settings %j, and at last fails', async (options, settings) => {
    harness = new Harness({ taskMaxRedeliveries: 1, ...settings }).task('task', fail, options);
    const { outcome, task } = await putBack();
    expect(outcome).toEqual({});
    expect(harness.lines.slice(1)).toEqual([
      expect.stringMatching(/^error: Task task\[id-1\] raised unexpected: RangeError/),
      'warn: Task task[id-1] is put back unacknowledged, to be run again',
    ]);
    const { ending, failure } = await harness.finish({ data: task.data });
    expect(failure.exc_type).toBe('RangeError');
    expect(ending.outcome.deadLetter).toContain('task_max_redeliveries (1)');
  });

  it.each([
    [{ acksOnFailure: true }, { taskAcksOnFailure: false }],
    [{ acksOnFailure: false, acksLate: false }, {}],
    [{}, { taskAcksOnFailure: true, taskAcksOnFailureOrTimeout: false }],
    [{ acksOnTimeout: false }, {}],
  ])('is not put back with %j and the settings %j', async (options, settings) => {
    harness = new Harness(settings).task('task', fail, options);
    expect((await harness.finish()).meta?.status).toBe('FAILURE');
  });

  it('goes by acksOnTimeout when its time limit ended it', async () => {
    const timeOut: Body = () => {
      throw new TimeLimitExceeded(3);
    };
    harness.task('task', timeOut, { acksOnTimeout: false }).task('acked', timeOut);
    await putBack();
    expect((await harness.finish({ name: 'acked' })).meta?.status).toBe('FAILURE');
  });
});
