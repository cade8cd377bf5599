import { describe, expect, it } from '@jest/globals';

import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { parseSettings, type TaskRoutesInput } from '../settings/index.js';
import { Router, type RouterSettings } from './router.js';

function make(taskRoutes: TaskRoutesInput | null, more: object = {}): Router {
  const { settings } = parseSettings(
    { brokerUrl: 'memory://', taskRoutes, ...more },
    { source: 'test' },
  );
  return new Router(settings satisfies RouterSettings);
}

function queueOf(router: Router, name: string): unknown {
  return router.route({ name, args: [1], kwargs: {}, options: { countdown: 1 } })?.queue;
}

describe('Router.route', () => {
  it('has no answer without routes', () => {
    expect(make(null).hasRoutes).toBe(false);
    expect(queueOf(make(null), 'a')).toBeUndefined();
  });

  it('goes by exact names, globs and expressions', () => {
    const router = make({
      'mail.*': 'mail',
      'mail.tasks.urgent': { queue: 'urgent' },
      'feed.?.[ab]': 'feed',
    });
    expect(router.hasRoutes).toBe(true);
    expect(queueOf(router, 'mail.tasks.send')).toBe('mail');
    expect(queueOf(router, 'mail.tasks.urgent')).toBe('urgent');
    expect(queueOf(router, 'xmail.tasks')).toBeUndefined();
    expect(queueOf(router, 'mailXtasks')).toBeUndefined();
    expect(queueOf(router, 'other')).toBeUndefined();
  });

  it('knows all globs of Celery', () => {
    const router = make([
      ['a?c*', 'one'],
      ['[xy]-*', 'set'],
      ['[!0-9]$*', 'not'],
      ['m+(n)*', 'literal'],
    ]);
    expect(queueOf(router, 'abc')).toBe('one');
    expect(queueOf(router, 'ac')).toBeUndefined();
    expect(queueOf(router, 'x-1')).toBe('set');
    expect(queueOf(router, 'z-1')).toBeUndefined();
    expect(queueOf(router, 'q$1')).toBe('not');
    expect(queueOf(router, '5$1')).toBeUndefined();
    expect(queueOf(router, 'm+(n)o')).toBe('literal');
    expect(queueOf(router, 'mm(n)o')).toBeUndefined();
  });

  it('takes the first router that answers; in one table exact beats pattern', () => {
    const router = make([
      [
        [/^mail\./g, 'by-expression'],
        ['mail.send', 'exact'],
      ],
      { 'mail.*': 'never', 'feed.*': 'feed' },
    ]);
    expect(queueOf(router, 'mail.send')).toBe('exact');
    // Twice: an expression with a 'g' would remember where it stopped.
    expect(queueOf(router, 'mail.other')).toBe('by-expression');
    expect(queueOf(router, 'mail.other')).toBe('by-expression');
    expect(queueOf(router, 'feed.x')).toBe('feed');
  });

  it('asks functions in their turn', () => {
    const seen: unknown[] = [];
    const router = make([
      (name, args, kwargs, options) => {
        seen.push(name, args, kwargs, options);
        return name === 'a' ? 'from-code' : null;
      },
      { b: 'b', a: 'never' },
      (name) => (name === 'c' ? { queue: 'object' } : undefined),
    ]);
    expect(queueOf(router, 'a')).toBe('from-code');
    expect(seen).toEqual(['a', [1], {}, { countdown: 1 }]);
    expect(queueOf(router, 'b')).toBe('b');
    expect(queueOf(router, 'c')).toBe('object');
    expect(queueOf(router, 'd')).toBeUndefined();
  });

  it.each([() => 5, () => [], async () => 'late', () => true])(
    'refuses the answer of %p',
    (router) => {
      const ask = (): unknown => queueOf(make([router as never]), 'a');
      expect(ask).toThrow(ImproperlyConfigured);
      expect(ask).toThrow(/A router in task_routes answered .* for the task 'a'/);
    },
  );
});

describe('Router.assertKnown', () => {
  it('takes any queue by default', () => {
    expect(() => make(null).assertKnown('any', 'a')).not.toThrow();
  });

  it('names the known queues where missing ones are not created', () => {
    const router = make(null, { taskQueues: ['low', 'high'], taskCreateMissingQueues: false });
    for (const queue of ['low', 'high', 'celery']) {
      expect(() => router.assertKnown(queue, 'a')).not.toThrow();
    }
    expect(() => router.assertKnown('lo', 'app.add')).toThrow(
      /The task 'app.add' cannot be sent to the queue 'lo'.*Known queues: 'celery', 'high', 'low'/,
    );
  });
});
