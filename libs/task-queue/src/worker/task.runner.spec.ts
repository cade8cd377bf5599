import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ElsewhereBackend, Harness, type Body } from '../../../../test/support/runner-harness.js';
import { MemoryBroker } from '../brokers/memory/index.js';
import {
  Ignore,
  LeaseLostError,
  OperationalError,
  Reject,
  WorkerLostError,
} from '../errors/task-queue.errors.js';
import { decodeMeta, type ResultBackend, type TaskMeta } from '../results/index.js';
import type { TaskContext } from '../tasks/index.js';

let harness: Harness;
beforeEach(() => {
  harness = new Harness();
});

describe('a task that runs', () => {
  it('ends SUCCESS with its value, and is told in Celery words', async () => {
    harness.task('task', (_self, x, y) => (x as number) + (y as number));
    const { ending, meta } = await harness.finish({ data: harness.message([2, 3]) });
    expect(ending.outcome.record).toMatchObject({ id: 'id-1', status: 'SUCCESS' });
    expect(ending.outcome).not.toHaveProperty('deadLetter');
    expect(meta).toMatchObject({ status: 'SUCCESS', result: 5, task_id: 'id-1' });
    expect(harness.lines[0]).toBe('log: Task task[id-1] received');
    expect(harness.lines[1]).toMatch(/^log: Task task\[id-1\] succeeded in \d+\.\d{4}s: 5$/);
  });

  it('is not said to have succeeded before that is recorded', async () => {
    harness.task('task', () => 1);
    await harness.run();
    expect(harness.lines).toEqual(['log: Task task[id-1] received']);
  });

  it('sees its request', async () => {
    let request: Record<string, unknown> = {};
    harness.task('task', ({ request: seen }) => {
      request = seen.toJSON();
    });
    await harness.finish({
      redeliveries: 2,
      lease: { id: 'id-7', queue: 'mail', token: 'token' },
      data: harness.message(['a'], { retries: 1, root_id: 'root', shadow: 'shown' }),
    });
    expect(request).toMatchObject({
      id: 'id-7',
      task: 'task',
      args: ['a'],
      retries: 1,
      rootId: 'root',
      hostname: 'celery@host',
      isEager: false,
      deliveryInfo: { routingKey: 'mail', redelivered: true },
    });
    expect(harness.lines[0]).toBe('log: Task shown[id-7] received');
  });

  it('stores no result when it is ignored: call, then task, then setting', async () => {
    harness.task('task', () => 1, { ignoreResult: true });
    expect((await harness.finish()).ending.outcome).toEqual({});
    const wanted = harness.message([], { ignore_result: false });
    expect((await harness.finish({ data: wanted })).meta?.status).toBe('SUCCESS');

    harness = new Harness({ taskIgnoreResult: true }).task('task', () => 1);
    expect((await harness.finish()).ending.outcome).toEqual({});
  });

  it('ends FAILURE when its result cannot be stored as JSON', async () => {
    harness.task('task', () => ({ callback: () => 1 }));
    const { failure, meta } = await harness.finish();
    expect(meta?.status).toBe('FAILURE');
    expect(failure.exc_type).toBe('EncodeError');
    expect(String(failure.exc_message)).toContain('result.callback');
    expect(harness.lines.at(-1)).toMatch(
      /^error: Task task\[id-1\] raised unexpected: EncodeError/,
    );
  });

  it('ends FAILURE when its result is too large', async () => {
    harness = new Harness({ resultMaxPayloadBytes: 4096 }).task('task', () => 'x'.repeat(8000));
    const { failure } = await harness.finish();
    expect(failure.exc_type).toBe('EncodeError');
    expect(String(failure.exc_message)).toContain('result_max_payload_bytes');
  });
});

describe('a task that throws', () => {
  it('ends FAILURE with the error, and the stack is logged', async () => {
    harness.task('task', () => {
      throw new RangeError('boom');
    });
    const { ending, failure, meta } = await harness.finish();
    expect(meta).toMatchObject({ status: 'FAILURE', traceback: expect.stringContaining('boom') });
    expect(failure).toMatchObject({ exc_type: 'RangeError', exc_message: ['boom'] });
    expect(ending.outcome).not.toHaveProperty('deadLetter');
    expect(harness.lines.at(-1)).toMatch(
      /^error: Task task\[id-1\] raised unexpected: RangeError\('boom'\)\nRangeError: boom\n\s+at /,
    );
  });

  it.each([
    ['a string', 'just text', "'just text'"],
    ['undefined', undefined, 'null'],
    ['null', null, 'null'],
    ['an object', { code: 7 }, "{'code': 7}"],
  ])('%s ends FAILURE too', async (_what, thrown, shown) => {
    harness.task('task', () => {
      throw thrown;
    });
    const { failure, meta } = await harness.finish();
    expect(meta?.status).toBe('FAILURE');
    expect(failure.exc_type).toBe('NonErrorThrown');
    expect(harness.lines.at(-1)).toBe(`error: Task task[id-1] raised unexpected: ${shown}`);
  });

  it('an expected error ends FAILURE, with one line and without a stack', async () => {
    class OutOfStock extends Error {}
    harness.task(
      'task',
      () => {
        throw new OutOfStock('none left');
      },
      { throws: [OutOfStock] },
    );
    const { meta } = await harness.finish();
    expect(meta?.status).toBe('FAILURE');
    expect(harness.lines.at(-1)).toBe(
      "log: Task task[id-1] raised expected: OutOfStock('none left')",
    );
  });

  it('Ignore ends with no outcome at all', async () => {
    harness.task('task', () => {
      throw new Ignore();
    });
    const { ending } = await harness.finish();
    expect(ending.outcome).toEqual({});
    expect(harness.lines.at(-1)).toBe('log: Task task[id-1] ignored');
  });

  it('Reject ends FAILURE and keeps the message with the reason', async () => {
    harness.task('task', () => {
      throw new Reject('not for me');
    });
    const { ending, failure } = await harness.finish();
    expect(ending.outcome.deadLetter).toBe('not for me');
    expect(failure.exc_type).toBe('Reject');
    expect(harness.lines.at(-1)).toBe('warn: Task task[id-1] reject requeue=no');
  });

  it('Reject without a reason keeps the message too', async () => {
    harness.task('task', () => {
      throw new Reject();
    });
    const { ending } = await harness.finish();
    expect(ending.outcome.deadLetter).toBe('The task rejected its message.');
  });
});

describe('a message that cannot be read', () => {
  const SECRET = 'hunter2';
  it.each([
    ['garbage', `{"v":1,"a":"${SECRET}`, {}],
    ['nothing', '', {}],
    ['no object', `["${SECRET}"]`, {}],
    ['no arguments', '{"v":1}', {}],
    ['arguments that are no JSON', `{"v":1,"a":"[[${SECRET}"}`, {}],
    ['arguments of a wrong shape', `{"v":1,"a":"{\\"x\\":\\"${SECRET}\\"}"}`, {}],
    ['another version', '{"v":99,"a":"[[]]"}', {}],
    [
      'a content type that is not accepted',
      '{"v":1,"a":"gASVBQ==","h":{"content_type":"application/x-python-serialize"}}',
      {},
    ],
    ['no name', '{"v":1,"a":"[[]]"}', { name: '' }],
  ])('%s: is kept in the dead-letter list, and its id ends FAILURE', async (_what, data, more) => {
    harness.task('task', () => 1);
    const { ending, failure, meta } = await harness.finish({ data, ...more });
    expect(ending.outcome.deadLetter).toMatch(/\.$/);
    expect(meta).toMatchObject({ status: 'FAILURE', task_id: 'id-1' });
    expect(failure.exc_type).toMatch(/^(DecodeError|ContentDisallowed)$/);
    expect(harness.lines).toHaveLength(1);
    expect(harness.lines[0]).toMatch(
      /^error: Received invalid task message id-1 in queue 'celery': /,
    );
    const everything = JSON.stringify([ending, meta, harness.lines]);
    expect(everything).not.toContain(SECRET);
  });

  it('__proto__ in it changes nothing', async () => {
    const seen: unknown[] = [];
    harness.task('task', (self, ...args) => void seen.push(self.request.headers, ...args));
    const data =
      '{"v":1,"__proto__":{"a":"x"},"a":"[[{\\"__proto__\\":{\\"polluted\\":true}}],{}]",' +
      '"h":{"__proto__":{"polluted":true},"headers":{"__proto__":{"polluted":true}}}}';
    expect((await harness.finish({ data })).meta?.status).toBe('SUCCESS');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect((seen[1] as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('__proto__ and constructor are names like any other unknown one', async () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      expect(await harness.run({ name })).toMatchObject({ kind: 'postpone' });
    }
  });

  it('an id or a name cannot forge a line of the log', async () => {
    const forged = 'x\nlog: Task fine[1] succeeded';
    await harness.run({ name: forged, lease: { id: forged, queue: 'celery', token: 't' } });
    expect(harness.lines.join('')).not.toContain('\n');
    harness.task('task', () => 1);
    await harness.finish({ data: harness.message([], { shadow: forged }) });
    expect(harness.lines.join('')).not.toContain('\n');
  });
});

describe('an unknown task', () => {
  it('is put back, for a worker that knows it, until the grace is over', async () => {
    harness = new Harness({ taskUnknownGrace: 60 });
    for (let postponements = 0; postponements < 6; postponements += 1) {
      expect(await harness.run({ postponements })).toEqual({ kind: 'postpone', delay: 10_000 });
    }
    expect(harness.lines[0]).toBe(
      "warn: Received unregistered task of type 'task'[id-1]. It is put back for 10s, for a " +
        'worker that knows it.',
    );
    const { ending, failure, meta } = await harness.finish({ postponements: 6 });
    expect(meta?.status).toBe('FAILURE');
    expect(failure.exc_type).toBe('NotRegistered');
    expect(ending.outcome).not.toHaveProperty('deadLetter');
    expect(harness.lines.at(-1)).toContain('Check that the module with this task is imported');
  });

  it('ends at once without a grace', async () => {
    harness = new Harness({ taskUnknownGrace: 0 });
    expect((await harness.finish()).failure.exc_type).toBe('NotRegistered');
  });

  it('is looked at six times in a short grace, and every 10 s in a long one', async () => {
    harness = new Harness({ taskUnknownGrace: 3 });
    expect(await harness.run()).toEqual({ kind: 'postpone', delay: 500 });
    expect(harness.lines[0]).toContain('for 0.5s');
    harness = new Harness({ taskUnknownGrace: 3600 });
    expect(await harness.run({ postponements: 359 })).toEqual({ kind: 'postpone', delay: 10_000 });
    expect((await harness.finish({ postponements: 360 })).failure.exc_type).toBe('NotRegistered');
  });
});

describe('a task that is not run', () => {
  it('has expired: it ends REVOKED', async () => {
    const body = jest.fn();
    harness.task('task', body);
    const expires = new Date(harness.clock.now()).toISOString();
    const { meta, failure } = await harness.finish({ data: harness.message([], { expires }) });
    expect(meta?.status).toBe('REVOKED');
    expect(failure).toMatchObject({ exc_type: 'TaskRevokedError', exc_message: ['expired'] });
    expect(body).not.toHaveBeenCalled();
    expect(harness.lines).toEqual(['log: Discarding revoked task: task[id-1]']);
  });

  it.each(['2026-01-01T00:00:01', '2026-01-01T00:00:01.000000+00:00', '2026-01-01T01:00:01,0+01'])(
    'expires at the time that %s means to Celery',
    async (expires) => {
      harness.task('task', () => 1);
      const data = harness.message([], { expires });
      harness.clock.advance(999);
      expect((await harness.finish({ data })).meta?.status).toBe('SUCCESS');
      harness.clock.advance(1);
      expect((await harness.finish({ data })).meta?.status).toBe('REVOKED');
    },
  );

  it('was lost with its worker too often: it ends FAILURE and is kept', async () => {
    const body = jest.fn();
    harness.task('task', body);
    expect((await harness.finish({ redeliveries: 3 })).meta?.status).toBe('SUCCESS');
    const { ending, failure } = await harness.finish({ redeliveries: 4 });
    expect(failure.exc_type).toBe('WorkerLostError');
    expect(String(failure.exc_message)).toMatch(/4 times.*raise task_max_redeliveries/);
    expect(ending.outcome.deadLetter).toContain('task_max_redeliveries (3)');
    expect(harness.lines.at(-1)).toMatch(/^error: Task task\[id-1\] is given up: /);
    expect(body).toHaveBeenCalledTimes(1);
  });
});

it('a fault of the worker itself keeps the message and ends its id FAILURE', async () => {
  harness.task('task', () => 1);
  jest.spyOn(harness.registry, 'get').mockImplementationOnce(() => {
    throw new TypeError('a bug');
  });
  const { ending, failure } = await harness.finish();
  expect(ending.outcome.deadLetter).toMatch(/^The worker failed: TypeError: a bug/);
  expect(failure.exc_type).toBe('TypeError');
  expect(harness.lines.at(-1)).toMatch(/^error: The worker failed on task message id-1/);
});

describe('states on the way', () => {
  it('STARTED is stored before the task runs, when it is tracked', async () => {
    harness = new Harness({ taskTrackStarted: true });
    let before: TaskMeta | undefined;
    harness.task('task', async () => {
      before = decodeMeta((await harness.backend.get('id-1'))!);
    });
    await harness.finish();
    expect(before).toMatchObject({
      status: 'STARTED',
      result: { pid: process.pid, hostname: 'celery@host' },
    });
  });

  it('STARTED is not stored otherwise', async () => {
    let before: string | undefined = 'nothing yet';
    harness.task('task', async () => {
      before = await harness.backend.get('id-1');
    });
    await harness.finish();
    expect(before).toBeUndefined();
  });

  it('STARTED that cannot be stored does not keep the task from running', async () => {
    harness = new Harness({ taskTrackStarted: true }).task('task', () => 1);
    jest.spyOn(harness.backend, 'store').mockRejectedValue(new OperationalError('Away.'));
    expect((await harness.finish()).meta?.status).toBe('SUCCESS');
    expect(harness.lines[1]).toMatch(
      /^warn: The state STARTED of task\[id-1\] could not be stored/,
    );
  });

  it('STARTED that is too large to be stored does not either', async () => {
    harness = new Harness({
      taskTrackStarted: true,
      resultExtended: true,
      resultMaxPayloadBytes: 1024,
    });
    const body = jest.fn<Body>().mockImplementation(() => {
      throw new Error('boom');
    });
    harness.task('task', body);
    const { failure } = await harness.finish({ data: harness.message(['x'.repeat(2000)]) });
    expect(body).toHaveBeenCalledTimes(1);
    expect(failure.exc_type).toBe('Error');
  });

  it('updateState stores what the task says of itself', async () => {
    harness.task('task', async (self) => {
      await self.updateState('PROGRESS', { current: 3 });
      return decodeMeta((await harness.backend.get('id-1'))!);
    });
    const { meta } = await harness.finish();
    expect(meta?.result).toMatchObject({ status: 'PROGRESS', result: { current: 3 } });
  });

  it('updateState tells the task when it fails', async () => {
    harness.task('task', (self) => self.updateState('PROGRESS'));
    jest.spyOn(harness.backend, 'store').mockRejectedValue(new OperationalError('Away.'));
    expect((await harness.finish()).failure.exc_type).toBe('OperationalError');
  });

  it('updateState after the end changes nothing', async () => {
    let late: TaskContext | undefined;
    harness.task('task', (self) => void (late = self));
    await harness.finish();
    await late!.updateState('PROGRESS');
    expect(await harness.backend.get('id-1')).toBeUndefined();
  });
});

describe('a running task', () => {
  function slow(elsewhere?: (broker: MemoryBroker) => ResultBackend) {
    harness = new Harness({}, elsewhere);
    let context!: TaskContext;
    let end!: () => void;
    harness.task('task', (self) => {
      context = self;
      return new Promise<void>((resolve) => (end = resolve));
    });
    const delivery = harness.delivery();
    const ending = harness.runner.handle(delivery);
    return { delivery, ending, end: () => end(), context: () => context };
  }

  it('is told that its lease is lost, and can store no state any more', async () => {
    const { delivery, ending, end, context } = slow();
    await nextTurn();
    harness.runner.leaseLost({ ...delivery.lease, token: 'another' });
    expect(context().signal.aborted).toBe(false);
    harness.runner.leaseLost(delivery.lease);
    expect(context().signal.reason).toBeInstanceOf(LeaseLostError);
    await context().updateState('PROGRESS');
    expect(await harness.backend.get('id-1')).toBeUndefined();
    end();
    await ending;
  });

  it('whose lease is lost stores no result elsewhere', async () => {
    const { delivery, ending, end } = slow((broker) => new ElsewhereBackend(broker));
    await nextTurn();
    harness.runner.leaseLost(delivery.lease);
    end();
    expect(await ending).toMatchObject({ kind: 'finish' });
    expect(await harness.backend.get('id-1')).toBeUndefined();
  });

  it('is told of a cold shutdown', async () => {
    const { ending, end, context } = slow();
    await nextTurn();
    harness.runner.abandonAll();
    expect(context().signal.reason).toBeInstanceOf(WorkerLostError);
    end();
    await ending;
  });

  it('that loses its lease before it began is not begun', async () => {
    harness = new Harness({ taskTrackStarted: true });
    const body = jest.fn<Body>();
    harness.task('task', body);
    const delivery = harness.delivery();
    jest.spyOn(harness.backend, 'store').mockImplementation(async () => {
      harness.runner.leaseLost(delivery.lease);
      return true;
    });
    expect(await harness.runner.handle(delivery)).toEqual({ kind: 'release' });
    expect(body).not.toHaveBeenCalled();
  });
});

describe('results kept elsewhere', () => {
  let backend: ElsewhereBackend;
  beforeEach(() => {
    harness = new Harness({}, (broker) => (backend = new ElsewhereBackend(broker)));
    harness.task('task', () => 'value');
  });

  it('are stored before the task is acknowledged, and announced with it', async () => {
    const { ending } = await harness.finish();
    const stored = await backend.get('id-1');
    expect(decodeMeta(stored!)).toMatchObject({ status: 'SUCCESS', result: 'value' });
    expect(ending.outcome).toEqual({ announce: stored });
  });

  it('are tried again until they are stored', async () => {
    backend.failures = 5;
    const ending = harness.run();
    await harness.clock.advanceAsync(50 + 200 + 1000 + 5000 - 1);
    expect(backend.attempts).toBe(4);
    await harness.clock.advanceAsync(1 + 5000);
    expect(backend.attempts).toBe(6);
    expect(await ending).toMatchObject({ kind: 'finish' });
    expect(await backend.get('id-1')).toBeDefined();
    expect(harness.lines.filter((line) => line.startsWith('warn'))).toHaveLength(5);
  });

  it('are given up in a cold shutdown, for the task is handed back', async () => {
    backend.failures = Infinity;
    const ending = harness.run();
    await harness.clock.advanceAsync(100);
    harness.runner.abandonAll();
    await ending;
    expect(await backend.get('id-1')).toBeUndefined();
    expect(harness.clock.pendingTimers).toBe(0);
  });

  it('that are dead letters have both', async () => {
    const { ending } = await harness.finish({ data: 'garbage' });
    expect(ending.outcome.deadLetter).toBeDefined();
    expect(ending.outcome.announce).toBe(await backend.get('id-1'));
  });

  it('announce the states on the way too', async () => {
    const announced = jest.spyOn(harness.broker, 'announce');
    harness.task('progress', (self) => self.updateState('PROGRESS', { current: 1 }));
    await harness.finish({ name: 'progress' });
    expect(announced).toHaveBeenCalledWith('id-1', expect.stringContaining('PROGRESS'));
  });

  it('that are ignored are neither stored nor announced', async () => {
    harness.task('ignored', () => 1, { ignoreResult: true });
    const { ending } = await harness.finish({ name: 'ignored' });
    expect(ending.outcome).toEqual({});
    expect(backend.attempts).toBe(0);
  });
});
