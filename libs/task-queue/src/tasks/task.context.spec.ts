import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { TaskServices } from './task.context.js';
import { createTaskContext, TaskContext } from './task.context.js';
import { TaskRequest } from './task-request.js';

function setup(id = 'id-1', headers: Record<string, unknown> | null = null) {
  const updateState = jest.fn<TaskServices['updateState']>().mockResolvedValue();
  const request = new TaskRequest({
    message: { id, task: 'demoapp.tasks.add', headers: { headers } },
    args: [],
    kwargs: {},
    hostname: 'celery@host',
    queue: 'celery',
  });
  return { ...createTaskContext({ request, services: { updateState } }), updateState, request };
}

describe('TaskContext', () => {
  it('has the request, the name and the headers of the call', () => {
    const { context, request } = setup();
    expect(context.request).toBe(request);
    expect(context.name).toBe('demoapp.tasks.add');
    expect(context.headers).toEqual({});
    expect(setup('id', { tenant: 'a' }).context.headers).toEqual({ tenant: 'a' });
  });

  describe('signal', () => {
    it('aborts with the reason, once', () => {
      const { context, abort } = setup();
      const { signal } = context;
      expect(signal.aborted).toBe(false);
      abort('first');
      abort('second');
      expect(context.signal).toBe(signal);
      expect(signal.aborted).toBe(true);
      expect(signal.reason).toBe('first');
    });

    it('is aborted already when the abort came before anybody looked', () => {
      const { context, abort } = setup();
      abort('first');
      abort('second');
      expect(context.signal.aborted).toBe(true);
      expect(context.signal.reason).toBe('first');
    });

    it('cannot be aborted from within the task', () => {
      const { context } = setup();
      expect('abort' in context).toBe(false);
      expect(Reflect.ownKeys(context)).toEqual(['request']);
    });
  });

  it('logs with the name and the id of the task', () => {
    const log = jest.fn();
    const logger = { log, error: jest.fn(), warn: jest.fn() };
    const { context } = setup();
    Logger.overrideLogger(logger);
    try {
      context.logger.log('hello');
    } finally {
      Logger.overrideLogger(new Logger());
    }
    expect(log).toHaveBeenCalledWith('hello', 'demoapp.tasks.add[id-1]');
    expect(context.logger).toBe(context.logger);
  });

  describe('updateState', () => {
    it('passes the state on', async () => {
      const { context, updateState } = setup();
      await context.updateState('PROGRESS', { done: 3 });
      await context.updateState('HALFWAY');
      expect(updateState.mock.calls).toEqual([
        [context, 'PROGRESS', { done: 3 }],
        [context, 'HALFWAY', {}],
      ]);
    });

    it('rejects with what the store says', async () => {
      const { context, updateState } = setup();
      updateState.mockRejectedValueOnce(new Error('store is down'));
      await expect(context.updateState('PROGRESS')).rejects.toThrow('store is down');
    });

    it.each(['', undefined, 3])('refuses %j as a state', async (state) => {
      const { context, updateState } = setup();
      await expect(context.updateState(state as string)).rejects.toThrow(TypeError);
      expect(updateState).not.toHaveBeenCalled();
    });
  });

  describe('current', () => {
    it('is undefined outside a task', () => {
      expect(TaskContext.current()).toBeUndefined();
    });

    it('is the running context, across awaits and in what the task starts', async () => {
      const { context } = setup();
      const seen = await TaskContext.run(context, async () => {
        const before = TaskContext.current();
        await setImmediate();
        return [before, TaskContext.current()];
      });
      expect(seen).toEqual([context, context]);
      expect(TaskContext.current()).toBeUndefined();
    });

    it('nests', () => {
      const outer = setup('outer').context;
      const inner = setup('inner').context;
      TaskContext.run(outer, () => {
        expect(TaskContext.run(inner, () => TaskContext.current())).toBe(inner);
        expect(TaskContext.current()).toBe(outer);
      });
    });

    it('keeps concurrent tasks apart', async () => {
      const contexts = ['a', 'b', 'c'].map((id) => setup(id).context);
      const seen = await Promise.all(
        contexts.map((context) =>
          TaskContext.run(context, async () => {
            await setImmediate();
            return TaskContext.current();
          }),
        ),
      );
      expect(seen).toEqual(contexts);
    });
  });

  it('run passes arguments and gives back what the function returns or throws', () => {
    const { context } = setup();
    expect(TaskContext.run(context, (a: number, b: number) => a + b, 2, 3)).toBe(5);
    expect(() =>
      TaskContext.run(context, () => {
        throw new Error('boom');
      }),
    ).toThrow('boom');
  });
});
