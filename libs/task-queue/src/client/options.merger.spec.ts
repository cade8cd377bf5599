import { describe, expect, it } from '@jest/globals';

import { mergeOptions } from './options.merger.js';

const SETTINGS = {
  taskDefaultPriority: null,
  taskDefaultQueue: 'celery',
  taskIgnoreResult: false,
  taskPublishRetry: true,
  taskPublishRetryPolicy: { maxRetries: 3, intervalStart: 0, intervalStep: 0.2, intervalMax: 1 },
  taskSerializer: 'json',
};

describe('mergeOptions', () => {
  it('goes by the settings where nobody says anything', () => {
    expect(mergeOptions({}, {}, {}, SETTINGS)).toEqual({
      queue: 'celery',
      priority: 0,
      serializer: 'json',
      ignored: false,
      ignoreResult: undefined,
      policy: SETTINGS.taskPublishRetryPolicy,
    });
  });

  it.each([
    [1, 2, 3, 4, 5, 1],
    [0, 2, 3, 4, 5, 0],
    [undefined, 2, 3, 4, 5, 2],
    [undefined, undefined, 3, 4, 5, 3],
    [undefined, undefined, undefined, 4, 5, 4],
    [undefined, undefined, undefined, undefined, 5, 5],
    [undefined, undefined, undefined, undefined, null, 0],
  ])(
    'priority: call %p, task %p, route %p, caller %p, setting %p: %p',
    (call, task, route, inherited, taskDefaultPriority, priority) => {
      const settings = { ...SETTINGS, taskDefaultPriority };
      const merged = mergeOptions(
        { priority: call },
        { priority: task },
        { priority: route },
        settings,
        inherited,
      );
      expect(merged.priority).toBe(priority);
    },
  );

  it('asks call, then task, then route, then setting', () => {
    const call = { queue: 'call', expiresAt: 1 };
    const task = { queue: 'task', expiresAt: 2 };
    const route = { queue: 'route', expiresAt: 3 };
    expect(mergeOptions(call, task, route, SETTINGS)).toMatchObject(call);
    expect(mergeOptions({}, task, route, SETTINGS)).toMatchObject(task);
    expect(mergeOptions({}, {}, route, SETTINGS)).toMatchObject(route);
  });

  it.each([
    [true, false, false, true, true],
    [false, true, true, false, false],
    [undefined, true, false, true, undefined],
    [undefined, undefined, true, true, true],
    [undefined, false, true, false, undefined],
  ])(
    'ignoreResult: call %p, task %p, route %p: ignored %p, in the message %p',
    (call, task, route, ignored, inMessage) => {
      const merged = mergeOptions(
        call === undefined ? {} : { ignoreResult: call },
        task === undefined ? {} : { ignoreResult: task },
        { ignoreResult: route },
        SETTINGS,
      );
      expect(merged.ignored).toBe(ignored);
      expect(merged.ignoreResult).toBe(inMessage);
    },
  );

  it('joins the headers of route and call', () => {
    const merged = mergeOptions(
      { headers: { a: 1, b: 1 } },
      {},
      { headers: { b: 2, c: 2 } },
      SETTINGS,
    );
    expect(merged.headers).toEqual({ a: 1, b: 1, c: 2 });
  });

  it('has the retry policy of the call over the setting, or none', () => {
    const merge = (call: object, retry = true): unknown =>
      mergeOptions(call, {}, {}, { ...SETTINGS, taskPublishRetry: retry }).policy;
    expect(merge({ retryPolicy: { maxRetries: null } })).toEqual({
      ...SETTINGS.taskPublishRetryPolicy,
      maxRetries: null,
    });
    expect(merge({ retry: false })).toBeNull();
    expect(merge({}, false)).toBeNull();
    expect(merge({ retry: true }, false)).toEqual(SETTINGS.taskPublishRetryPolicy);
  });
});
