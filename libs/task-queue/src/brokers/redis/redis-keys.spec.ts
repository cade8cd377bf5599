import { describe, expect, it } from '@jest/globals';
import { RedisKeys } from './redis-keys.js';

function keysOf(options: Partial<ConstructorParameters<typeof RedisKeys>[0]> = {}): RedisKeys {
  return new RedisKeys({ globalPrefix: '', resultPrefix: '', cluster: false, ...options });
}

function allOf(keys: RedisKeys): string[] {
  return [
    keys.meta('id'),
    keys.group('id'),
    keys.watch('id'),
    keys.done('id'),
    keys.expires,
    keys.queues,
    keys.wake('p'),
    keys.channel('p'),
    keys.marker('mail'),
    keys.bull('mail', 'wait'),
  ];
}

describe('RedisKeys', () => {
  it("are Celery's for results, BullMQ's for queues, and under celery: for the rest", () => {
    expect(allOf(keysOf())).toEqual([
      'celery-task-meta-id',
      'celery-taskset-meta-id',
      'celery:watch:id',
      'celery:done:id',
      'celery:expires',
      'celery:queues',
      'celery:wake:p',
      'celery:notify:p',
      'bull:mail:marker',
      'bull:mail:wait',
    ]);
  });

  it('have the prefix of the broker, and results that of the result backend', () => {
    expect(allOf(keysOf({ globalPrefix: 'app1:', resultPrefix: 'res:' }))).toEqual([
      'res:celery-task-meta-id',
      'res:celery-taskset-meta-id',
      'app1:celery:watch:id',
      'app1:celery:done:id',
      'app1:celery:expires',
      'app1:celery:queues',
      'app1:celery:wake:p',
      'app1:celery:notify:p',
      'app1:bull:mail:marker',
      'app1:bull:mail:wait',
    ]);
  });

  it('all have one slot in a cluster', () => {
    const keys = allOf(keysOf({ globalPrefix: 'app1:', resultPrefix: 'res:', cluster: true }));
    expect(new Set(keys.map((key) => /\{(.*?)\}/.exec(key)?.[1]))).toEqual(new Set(['app1:bull']));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('begin with their prefixes', () => {
    const keys = keysOf({ resultPrefix: 'res:' });
    expect(keys.meta('x')).toBe(`${keys.metaPrefix}x`);
    expect(keys.done('x')).toBe(`${keys.donePrefix}x`);
  });

  it.each([false, true])(
    'tell the queue of a marker, whatever its name (cluster: %j)',
    (cluster) => {
      const keys = keysOf({ globalPrefix: 'a:b:', cluster });
      for (const queue of ['mail', 'a:marker', ':marker', 'x:y', '{tag}']) {
        expect(keys.queueOfMarker(keys.marker(queue))).toBe(queue);
      }
    },
  );
});
