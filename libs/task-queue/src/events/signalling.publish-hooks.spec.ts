import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../clock/index.js';
import { NO_PUBLISH_HOOKS, type PublishedCall } from './publish-hooks.interface.js';
import { SignallingPublishHooks } from './signalling.publish-hooks.js';
import { TaskSignals } from './task.signals.js';

const CALL: PublishedCall = {
  id: 'id-1',
  task: 'mail.send',
  queue: 'celery',
  args: ['ann'],
  kwargs: { loud: true },
  headers: { tenant: 7 },
};

let clock: ManualClock;
let lines: string[];
let signals: TaskSignals;
let hooks: SignallingPublishHooks;

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
  const note = (message: string): void => void lines.push(message);
  signals = new TaskSignals(clock, { warn: note, error: note });
  hooks = new SignallingPublishHooks(signals);
});

describe('before', () => {
  it('is told what is published, and when', async () => {
    const events: unknown[] = [];
    signals.connect('beforeTaskPublish', (event) => events.push(event));
    await hooks.before({ ...CALL, dueAt: 1000, expiresAt: 2000 });
    await hooks.before({ ...CALL, headers: undefined });
    const base = {
      signal: 'beforeTaskPublish',
      id: 'id-1',
      task: 'mail.send',
      queue: 'celery',
      args: ['ann'],
      kwargs: { loud: true },
    };
    expect(events).toEqual([
      { ...base, headers: { tenant: 7 }, eta: new Date(1000), expires: new Date(2000) },
      { ...base, headers: {}, eta: null, expires: null },
    ]);
  });

  it('gives the headers as the listeners leave them, and the call keeps its own', async () => {
    signals.connect('beforeTaskPublish', async ({ headers }) => {
      await Promise.resolve();
      headers['trace'] = 'abc';
      delete headers['tenant'];
    });
    expect(await hooks.before(CALL)).toEqual({ trace: 'abc' });
    expect(CALL.headers).toEqual({ tenant: 7 });
  });

  it('gives no headers when none are left', async () => {
    signals.connect('beforeTaskPublish', ({ headers }) => delete headers['tenant']);
    expect(await hooks.before(CALL)).toBeUndefined();
  });

  it('keeps what was set before a listener threw', async () => {
    signals.connect('beforeTaskPublish', ({ headers }) => {
      headers['trace'] = 'abc';
      throw new Error('boom');
    });
    expect(await hooks.before(CALL)).toEqual({ tenant: 7, trace: 'abc' });
    expect(lines).toHaveLength(1);
  });

  it.each<[string, (headers: Record<string, unknown>) => void]>([
    ['a function', (headers) => void (headers['call'] = () => {})],
    ['a NUL', (headers) => void (headers['text'] = '\0')],
    [
      'a trap',
      (headers) =>
        Object.defineProperty(headers, 'trap', {
          enumerable: true,
          get: () => {
            throw new Error('boom');
          },
        }),
    ],
  ])('sends the headers of the call when a listener left %s', async (_what, change) => {
    signals.connect('beforeTaskPublish', ({ headers }) => change(headers));
    expect(await hooks.before(CALL)).toEqual({ tenant: 7 });
    expect(lines).toEqual([
      expect.stringMatching(
        /^The listeners of beforeTaskPublish left headers that the task 'mail\.send' cannot be/,
      ),
    ]);
  });

  it('does not wait for ever, and then lets nobody change the headers', async () => {
    let change!: () => void;
    const changed = new Promise<void>((resolve) => (change = resolve));
    signals.connect(
      'beforeTaskPublish',
      async ({ headers }) => {
        await changed;
        headers['late'] = true;
      },
      { place: 'Slow.stamp' },
    );
    const published = hooks.before(CALL);
    await clock.advanceAsync(5000);
    const headers = await published;
    change();
    await signals.settle(1000);
    expect(headers).toEqual({ tenant: 7 });
    expect(lines).toEqual([expect.stringContaining('Slow.stamp of beforeTaskPublish is not over')]);
  });
});

describe('after', () => {
  it('is told what is stored', () => {
    const events: unknown[] = [];
    expect(hooks.wantsAfter).toBe(false);
    signals.connect('afterTaskPublish', (event) => events.push(event));
    expect(hooks.wantsAfter).toBe(true);
    hooks.after(CALL);
    expect(events).toEqual([{ signal: 'afterTaskPublish', ...CALL, eta: null, expires: null }]);
  });
});

it('says when nobody listens, and then changes nothing', async () => {
  for (const each of [hooks, NO_PUBLISH_HOOKS]) {
    expect([each.wantsBefore, each.wantsAfter]).toEqual([false, false]);
    expect(await each.before(CALL)).toEqual({ tenant: 7 });
    expect(() => each.after(CALL)).not.toThrow();
  }
  signals.connect('beforeTaskPublish', () => {});
  expect([hooks.wantsBefore, hooks.wantsAfter]).toEqual([true, false]);
});
