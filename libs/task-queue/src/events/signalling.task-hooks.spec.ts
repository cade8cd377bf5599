import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../clock/index.js';
import { createTaskContext, TaskContext, TaskRequest } from '../tasks/index.js';
import type { SignalName } from './signal-events.interface.js';
import { SignallingTaskHooks } from './signalling.task-hooks.js';
import type { TaskHookKind } from './task-hook.decorators.js';
import { TaskHookRegistry, type TaskHook } from './task-hook.registry.js';
import { NO_TASK_HOOKS, type TaskHooks } from './task-hooks.interface.js';
import { TaskSignals } from './task.signals.js';

const SIGNALS: readonly SignalName[] = [
  'taskReceived',
  'taskPrerun',
  'taskSuccess',
  'taskFailure',
  'taskRetry',
  'taskPostrun',
  'taskRevoked',
  'taskUnknown',
  'taskRejected',
];
const KINDS: readonly TaskHookKind[] = [
  'beforeStart',
  'onSuccess',
  'onFailure',
  'onRetry',
  'afterReturn',
];

let order: string[];
let lines: string[];
let signals: TaskSignals;
let registry: TaskHookRegistry;
let hooks: TaskHooks;
let context: TaskContext;
let request: TaskRequest;

function hook(kind: TaskHookKind, run: TaskHook['run']): void {
  registry.add('mail.send', { kind, place: `The hook Mail.${kind}`, run });
}

/** Notes every signal and every hook that is called. */
function noteAll(): void {
  SIGNALS.forEach((signal) => signals.connect(signal, () => void order.push(signal)));
  KINDS.forEach((kind) => hook(kind, () => void order.push(kind)));
}

beforeEach(() => {
  order = [];
  lines = [];
  const note = (message: string): void => void lines.push(message);
  signals = new TaskSignals(new ManualClock(), { warn: note, error: note });
  registry = new TaskHookRegistry();
  hooks = new SignallingTaskHooks(signals, registry);
  request = new TaskRequest({
    message: { id: 'id-1', task: 'mail.send', headers: {} },
    args: ['ann'],
    kwargs: {},
    hostname: 'celery@host',
    queue: 'celery',
  });
  ({ context } = createTaskContext({ request, services: { updateState: async () => {} } }));
});

describe("the order is Celery's", () => {
  beforeEach(noteAll);

  it('for a success', async () => {
    hooks.received(request);
    hooks.prerun(context);
    await hooks.beforeStart(context);
    order.push('body');
    hooks.success(context, 5, 0.1);
    hooks.postrun(context, 'SUCCESS', 5);
    expect(order).toEqual([
      'taskReceived',
      'taskPrerun',
      'beforeStart',
      'body',
      'onSuccess',
      'taskSuccess',
      'afterReturn',
      'taskPostrun',
    ]);
  });

  it('for a failure', () => {
    hooks.failure(context, new Error('boom'));
    hooks.postrun(context, 'FAILURE', new Error('boom'));
    expect(order).toEqual(['onFailure', 'taskFailure', 'afterReturn', 'taskPostrun']);
  });

  it('for a retry, without afterReturn', () => {
    hooks.retry(context, { error: null, reason: 'Retry in 3s', retryAt: null });
    hooks.postrun(context, 'RETRY', null);
    expect(order).toEqual(['onRetry', 'taskRetry', 'taskPostrun']);
  });

  it('for Ignore and Reject', () => {
    hooks.postrun(context, 'IGNORED', null);
    hooks.rejected(request, 'no', false);
    hooks.postrun(context, 'REJECTED', null);
    expect(order).toEqual(['taskPostrun', 'taskRejected', 'taskPostrun']);
  });

  it('also with async hooks: each is over before the next step of the same run', async () => {
    let end!: () => void;
    const ended = new Promise<void>((resolve) => (end = resolve));
    hook('onSuccess', async () => {
      await ended;
      order.push('onSuccess over');
    });
    hook('afterReturn', async () => {
      await Promise.resolve();
      order.push('afterReturn over');
    });
    hooks.success(context, 5, 0.1);
    hooks.postrun(context, 'SUCCESS', 5);
    expect(order).toEqual(['onSuccess']);
    end();
    await signals.settle(1000);
    expect(order).toEqual([
      'onSuccess',
      'onSuccess over',
      'taskSuccess',
      'afterReturn',
      'afterReturn over',
      'taskPostrun',
    ]);
    expect(signals.calls.size).toBe(0);
  });

  it('and a hook that hangs holds back no other run', () => {
    hook('onSuccess', () => new Promise<void>(() => {}));
    hooks.success(context, 5, 0.1);
    order = [];
    const other = createTaskContext({ request, services: { updateState: async () => {} } }).context;
    hooks.failure(other, 'why');
    hooks.postrun(other, 'FAILURE', 'why');
    expect(order).toEqual(['onFailure', 'taskFailure', 'afterReturn', 'taskPostrun']);
  });
});

describe('what listeners and hooks are told', () => {
  it('is typed and complete', () => {
    const events: unknown[] = [];
    SIGNALS.forEach((signal) => signals.connect(signal, (event) => events.push(event)));
    const base = { task: 'mail.send', id: 'id-1' };
    const error = new Error('boom');
    const retryAt = Date.UTC(2026, 0, 1);
    hooks.received(request);
    hooks.prerun(context);
    hooks.success(context, 5, 0.25);
    hooks.failure(context, error);
    hooks.retry(context, { error, reason: "Retry in 3s: Error('boom')", retryAt });
    hooks.retry(context, { error: null, reason: 'Retry in 0s', retryAt: null });
    hooks.postrun(context, 'SUCCESS', 5);
    hooks.revoked(request, 'expired');
    hooks.revoked({ id: 'id-2', task: '' }, 'revoked');
    hooks.unknown('mail.nothing', 'id-3');
    hooks.rejected(request, 'The disk is full.', true);
    hooks.rejected({ id: 'id-4', task: 'mail.send' }, 'It cannot be read.', false);
    const run = { ...base, request, context };
    expect(events).toEqual([
      { signal: 'taskReceived', ...base, request },
      { signal: 'taskPrerun', ...run },
      { signal: 'taskSuccess', ...run, result: 5, runtime: 0.25 },
      { signal: 'taskFailure', ...run, error },
      {
        signal: 'taskRetry',
        ...run,
        error,
        reason: "Retry in 3s: Error('boom')",
        retryAt: new Date(retryAt),
      },
      { signal: 'taskRetry', ...run, error: null, reason: 'Retry in 0s', retryAt: null },
      { signal: 'taskPostrun', ...run, state: 'SUCCESS', result: 5 },
      { signal: 'taskRevoked', ...base, request, reason: 'expired' },
      { signal: 'taskRevoked', task: '', id: 'id-2', request: null, reason: 'revoked' },
      { signal: 'taskUnknown', task: 'mail.nothing', id: 'id-3' },
      { signal: 'taskRejected', ...base, request, reason: 'The disk is full.', requeue: true },
      {
        signal: 'taskRejected',
        task: 'mail.send',
        id: 'id-4',
        request: null,
        reason: 'It cannot be read.',
        requeue: false,
      },
    ]);
  });

  it('is passed to hooks after the context', async () => {
    const given: unknown[] = [];
    KINDS.forEach((kind) => hook(kind, (...args: unknown[]) => void given.push([kind, ...args])));
    await hooks.beforeStart(context);
    hooks.success(context, 5, 0.25);
    hooks.failure(context, 'why');
    hooks.retry(context, { error: 'why', reason: 'Retry in 3s', retryAt: 0 });
    expect(given).toEqual([
      ['beforeStart', context],
      ['onSuccess', context, 5],
      ['afterReturn', context, 'SUCCESS', 5],
      ['onFailure', context, 'why'],
      ['afterReturn', context, 'FAILURE', 'why'],
      ['onRetry', context, 'why', new Date(0)],
    ]);
  });

  it('comes within the context of the task, also after an async hook', async () => {
    const names: unknown[] = [];
    const note = (): void => void names.push(TaskContext.current());
    hook('beforeStart', note);
    hook('onSuccess', async () => {
      await Promise.resolve();
      note();
    });
    signals.connect('taskPrerun', note);
    signals.connect('taskSuccess', note);
    hooks.prerun(context);
    await hooks.beforeStart(context);
    hooks.success(context, 5, 0.1);
    await signals.settle(1000);
    expect(names).toEqual([context, context, context, context]);
    expect(TaskContext.current()).toBeUndefined();
  });

  it('concerns only the task of the hook', () => {
    registry.add('mail.drop', { kind: 'onSuccess', place: 'x', run: () => order.push('drop') });
    hooks.success(context, 5, 0.1);
    expect(order).toEqual([]);
  });
});

describe('what listeners and hooks throw', () => {
  it('is logged, and the others are called', async () => {
    noteAll();
    hook('onSuccess', () => {
      throw new Error('hook');
    });
    hook('afterReturn', () => Promise.reject(new Error('later')));
    signals.connect(
      'taskSuccess',
      () => {
        throw new Error('listener');
      },
      { place: 'Audit.ok' },
    );
    hooks.success(context, 5, 0.1);
    hooks.postrun(context, 'SUCCESS', 5);
    await signals.settle(1000);
    expect(order).toEqual(['onSuccess', 'taskSuccess', 'afterReturn', 'taskPostrun']);
    expect(lines).toEqual([
      "The hook Mail.onSuccess raised Error('hook'). The task and the worker go on.",
      "The listener Audit.ok of taskSuccess raised Error('listener'). The task and the worker go on.",
      "The hook Mail.afterReturn raised Error('later'). The task and the worker go on.",
    ]);
  });

  it('in beforeStart is the outcome of the task', async () => {
    hook('beforeStart', () => Promise.reject(new RangeError('not now')));
    hook('beforeStart', () => order.push('second'));
    await expect(hooks.beforeStart(context)).rejects.toThrow(RangeError);
    registry.add('mail.sync', {
      kind: 'beforeStart',
      place: 'x',
      run: () => {
        throw new RangeError('at once');
      },
    });
    const sync = { name: 'mail.sync' } as TaskContext;
    await expect(hooks.beforeStart(sync)).rejects.toThrow('at once');
    expect([order, lines]).toEqual([[], []]);
  });
});

describe('without listeners and hooks', () => {
  it('nothing is made, and there is nothing to wait for', () => {
    const silent: TaskHooks[] = [hooks, NO_TASK_HOOKS];
    for (const each of silent) {
      each.received(request);
      each.prerun(context);
      expect(each.beforeStart(context)).toBeUndefined();
      each.success(context, 5, 0.1);
      each.failure(context, 'why');
      each.retry(context, { error: null, reason: 'Retry in 3s', retryAt: null });
      each.revoked(request, 'revoked');
      each.unknown('mail.nothing', 'id-1');
      each.rejected(request, 'no', false);
      each.postrun(context, 'SUCCESS', 5);
    }
    expect(signals.calls.size).toBe(0);
    expect(lines).toEqual([]);
  });
});
