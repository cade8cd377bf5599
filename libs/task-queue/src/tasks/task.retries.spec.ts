import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import {
  ControlFlow,
  Ignore,
  MaxRetriesExceededError,
  Reject,
  Retry,
  TaskQueueError,
} from '../errors/task-queue.errors.js';
import type { TaskHeaders } from '../messages/task-message.interface.js';
import { attemptTask } from './task.attempt.js';
import { createTaskContext, TaskContext } from './task.context.js';
import type { SharedTaskOptions } from './task-options.interface.js';
import { TaskRequest } from './task-request.js';

const BOOM = new RangeError('boom');

function contextOf(headers: TaskHeaders = {}): TaskContext {
  const request = new TaskRequest({
    message: { id: 'id-1', task: 'app.add', headers },
    args: [2, 3],
    kwargs: {},
    hostname: 'celery@host',
    queue: 'celery',
  });
  return createTaskContext({ request, services: { updateState: async () => {} } }).context;
}

/** Runs a body as a task, and gives what it throws. */
async function thrownBy(
  body: (self: TaskContext) => unknown,
  options: SharedTaskOptions = {},
  retries = 0,
): Promise<unknown> {
  const context = contextOf({ retries });
  return TaskContext.run(context, () =>
    attemptTask(context, options, async () => body(context)).then(
      () => 'nothing was thrown',
      (thrown: unknown) => thrown,
    ),
  );
}

async function retryOf(...args: Parameters<typeof thrownBy>): Promise<Retry> {
  const thrown = await thrownBy(...args);
  expect(thrown).toBeInstanceOf(Retry);
  return thrown as Retry;
}

describe('retry()', () => {
  it('throws a Retry with the defaults of Celery', async () => {
    const retry = await retryOf((self) => self.retry());
    expect(retry).toMatchObject({ message: 'Retry in 180s', when: 180, changes: {} });
    expect(retry.cause).toBeUndefined();
    expect(retry).toBeInstanceOf(ControlFlow);
    expect(retry).toBeInstanceOf(TaskQueueError);
  });

  it('words it as Celery does', async () => {
    const eta = new Date('2030-01-31T12:00:00Z');
    const retry = await retryOf((self) => self.retry({ exc: BOOM, countdown: 3 }));
    expect(retry.message).toBe("Retry in 3s: RangeError('boom')");
    expect(retry.cause).toBe(BOOM);
    expect((await retryOf((self) => self.retry({ countdown: '1500ms' }))).message).toBe(
      'Retry in 1.5s',
    );
    expect((await retryOf((self) => self.retry({ eta }))).message).toBe(
      'Retry at 2030-01-31T12:00:00.000Z',
    );
  });

  it('lets the countdown win over the eta, and both over the delay of the task', async () => {
    const eta = '2030-01-31T12:00:00Z';
    const options = { defaultRetryDelay: '5s' };
    expect((await retryOf((self) => self.retry(), options)).when).toBe(5);
    expect((await retryOf((self) => self.retry({ eta }), options)).when).toEqual(new Date(eta));
    expect((await retryOf((self) => self.retry({ eta, countdown: 0 }), options)).when).toBe(0);
  });

  it('carries what is to change, where no store shows it by accident', async () => {
    const changes = {
      args: [4],
      kwargs: { a: 1 },
      queue: 'slow',
      priority: 7,
      expires: 60,
      headers: { try: 2 },
      shadow: 'shown',
      ignoreResult: true,
      argsRepr: '(*)',
      kwargsRepr: '{*}',
    };
    const retry = await retryOf((self) => self.retry(changes));
    expect(retry.changes).toEqual(changes);
    expect(Object.keys(retry)).not.toContain('changes');
  });

  it.each([0, 1, 2])('is granted after %d retries of 3', async (retries) => {
    const thrown = await thrownBy((self) => self.retry({ exc: BOOM }), {}, retries);
    expect(thrown).toBeInstanceOf(Retry);
  });

  it('ends with the error when no retry is left, or says so in the words of Celery', async () => {
    expect(await thrownBy((self) => self.retry({ exc: BOOM }), {}, 3)).toBe(BOOM);
    const exceeded = await thrownBy((self) => self.retry(), {}, 3);
    expect(exceeded).toBeInstanceOf(MaxRetriesExceededError);
    expect((exceeded as Error).message).toBe("Can't retry app.add[id-1] args:(2, 3) kwargs:{}");
    const changed = await thrownBy(
      (self) => self.retry({ args: [9], kwargs: { password: 'hunter2' } }),
      {},
      3,
    );
    expect((changed as Error).message).toBe(
      "Can't retry app.add[id-1] args:(9,) kwargs:{'password': '********'}",
    );
  });

  it('counts by the call, then by the task; null is no end in the task alone', async () => {
    await retryOf((self) => self.retry({ maxRetries: 5 }), { maxRetries: 1 }, 4);
    expect(await thrownBy((self) => self.retry({ exc: BOOM, maxRetries: 0 }))).toBe(BOOM);
    expect(await thrownBy((self) => self.retry({ exc: BOOM }), { maxRetries: 0 })).toBe(BOOM);
    await retryOf((self) => self.retry(), { maxRetries: null }, 1000);
    await retryOf((self) => self.retry({ maxRetries: Infinity }), {}, 1000);
    expect(await thrownBy((self) => self.retry({ exc: BOOM, maxRetries: null }), {}, 3)).toBe(BOOM);
  });

  it('with throw: false is carried out when the task returns', async () => {
    let after = false;
    const retry = await retryOf((self) => {
      expect(self.retry({ countdown: 4, throw: false })).toBeInstanceOf(Retry);
      after = true;
      return 'dropped';
    });
    expect(after).toBe(true);
    expect(retry.when).toBe(4);
    const other = await thrownBy((self) => {
      self.retry({ throw: false });
      throw BOOM;
    });
    expect(other).toBe(BOOM);
  });

  it.each([
    [{ countdow: 3 }, "There is no option 'countdow' of retry(). Did you mean 'countdown'?"],
    [{ countdown: 'soon' }, "'countdown' of retry() is a number of seconds"],
    [{ countdown: 1e15 }, "'countdown' of retry() is a number of seconds"],
    [{ eta: 'tomorrow' }, "'eta' of retry() is a Date"],
    [{ eta: new Date(Number.NaN) }, "'eta' of retry() is a Date"],
    [{ maxRetries: -1 }, "'maxRetries' of retry() is an integer from 0"],
    [{ args: 'x' }, "'args' of retry() is an array"],
    [{ kwargs: [1] }, "'kwargs' of retry() is a plain object"],
    [{ queue: 'a:b' }, "'queue' of retry() is the name of a queue"],
    [{ priority: 10 }, "'priority' of retry() is an integer from 0 to 9"],
    [{ throw: 'no' }, "'throw' of retry() is true or false"],
    ['soon' as never, 'retry() takes an object of options'],
  ] as [object, string][])('refuses %p', async (options, sentence) => {
    const thrown = await thrownBy((self) => self.retry(options));
    expect(thrown).toBeInstanceOf(TypeError);
    expect((thrown as Error).message).toContain(sentence);
  });

  it('takes null for what is not given', async () => {
    const retry = await retryOf((self) => self.retry({ countdown: null, eta: null, args: null }));
    expect(retry).toMatchObject({ when: 180, changes: {} });
  });

  it('throws the error again where no task runs', async () => {
    const context = contextOf();
    expect(() => context.retry({ exc: BOOM })).toThrow(BOOM);
    expect(() => context.retry()).toThrow('Task can be retried');
    await TaskContext.run(context, () => attemptTask(context, {}, async () => {}));
    expect(() => TaskContext.run(context, () => context.retry({ exc: BOOM }))).toThrow(BOOM);
  });

  it('inside another task is not that task, and does not retry it', async () => {
    const inner = await thrownBy(async (outer) => {
      return thrownBy(() => outer.retry({ exc: BOOM })).then((thrown) => {
        throw thrown;
      });
    });
    expect(inner).toBe(BOOM);
  });
});

describe('automatic retries', () => {
  const fail = (): never => {
    throw BOOM;
  };

  it('turn an error into a Retry for it', async () => {
    const options = { autoretryFor: [RangeError] };
    const retry = await retryOf(fail, options);
    expect(retry).toMatchObject({ when: 180, message: "Retry in 180s: RangeError('boom')" });
    expect(retry.cause).toBe(BOOM);
    expect((await retryOf(fail, { ...options, retryKwargs: { countdown: '2s' } })).when).toBe(2);
    expect((await retryOf(fail, { ...options, defaultRetryDelay: 9 })).when).toBe(9);
  });

  it('end with the original error: maxRetries 2 makes 3 runs', async () => {
    const options = { autoretryFor: [Error], maxRetries: 2 };
    await retryOf(fail, options, 1);
    expect(await thrownBy(fail, options, 2)).toBe(BOOM);
    const kwargs = { autoretryFor: [Error], retryKwargs: { maxRetries: 1 } };
    await retryOf(fail, kwargs, 0);
    expect(await thrownBy(fail, kwargs, 1)).toBe(BOOM);
  });

  it('let the backoff win over retryKwargs.countdown', async () => {
    const options = {
      autoretryFor: [Error],
      retryBackoff: 3,
      retryJitter: false,
      retryKwargs: { countdown: 99 },
    };
    expect((await retryOf(fail, options, 1)).when).toBe(6);
  });

  it('wait until the time that a rule gives', async () => {
    const at = new Date('2030-01-01');
    expect((await retryOf(fail, { retryDelay: () => at })).when).toEqual(at);
    expect((await retryOf(fail, { retryDelay: () => 0 })).when).toBe(0);
    expect(await thrownBy(fail, { retryDelay: () => 5, maxRetries: 0 })).toBe(BOOM);
  });

  it('go by what retry() was told in the same run', async () => {
    const body = (self: TaskContext): never => self.retry({ exc: BOOM, maxRetries: 1 });
    expect(await thrownBy(body, { autoretryFor: [Error], maxRetries: 9 }, 1)).toBe(BOOM);
  });

  it.each([new Ignore(), new Reject('no')])('leave %p alone', async (thrown) => {
    const body = (): never => {
      throw thrown;
    };
    expect(await thrownBy(body, { autoretryFor: [Error], retryDelay: () => 1 })).toBe(thrown);
  });

  it('complete a Retry that was not made by retry(), and count it', async () => {
    const body = (): never => {
      throw new Retry('by hand', null, {}, { cause: BOOM });
    };
    expect((await retryOf(body)).when).toBe(180);
    expect(await thrownBy(body, {}, 3)).toBe(BOOM);
  });

  it('are given up when the rule fails, with a warning', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const retryDelay = (): never => {
      throw new TypeError('a bug');
    };
    expect(await thrownBy(fail, { autoretryFor: [Error], retryDelay })).toBe(BOOM);
    expect(warn).toHaveBeenCalledWith(
      "The retryDelay of app.add failed for RangeError('boom'), and the task id-1 is not " +
        "retried: TypeError('a bug')",
    );
    warn.mockRestore();
  });
});
