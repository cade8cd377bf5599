import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ManualClock } from '../clock/index.js';
import type { SignalFields } from './signal-events.interface.js';
import { TaskSignals } from './task.signals.js';

let clock: ManualClock;
let lines: string[];
let signals: TaskSignals;

const note = (message: string): void => void lines.push(message);
const UNKNOWN = { task: 'mail.send', id: 'id-1' };
const PUBLISH: SignalFields<'beforeTaskPublish'> = {
  task: 'mail.send',
  id: 'id-1',
  queue: 'celery',
  args: [],
  kwargs: {},
  headers: {},
  eta: null,
  expires: null,
};

function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
  signals = new TaskSignals(clock, { warn: note, error: note });
});

describe('TaskSignals', () => {
  it('tells the listeners in order, with the name of the signal', () => {
    const events: unknown[] = [];
    signals.connect('taskUnknown', (event) => events.push(['first', event]));
    signals.connect('taskUnknown', ({ signal, task, id }) => events.push([signal, task, id]));
    signals.emit('taskUnknown', UNKNOWN);
    expect(events).toEqual([
      ['first', { signal: 'taskUnknown', task: 'mail.send', id: 'id-1' }],
      ['taskUnknown', 'mail.send', 'id-1'],
    ]);
  });

  it('knows whether anybody listens', () => {
    expect(signals.has('taskUnknown')).toBe(false);
    const first = signals.connect('taskUnknown', () => {});
    const second = signals.connect('taskUnknown', () => {});
    expect([signals.has('taskUnknown'), signals.has('taskFailure')]).toEqual([true, false]);
    first();
    first();
    expect(signals.has('taskUnknown')).toBe(true);
    second();
    expect(signals.has('taskUnknown')).toBe(false);
    second();
    expect(() => signals.emit('taskUnknown', UNKNOWN)).not.toThrow();
  });

  it('lets a listener disconnect itself while it is told', () => {
    const told: string[] = [];
    const disconnect = signals.connect('taskUnknown', () => {
      told.push('once');
      disconnect();
    });
    signals.connect('taskUnknown', () => told.push('always'));
    signals.emit('taskUnknown', UNKNOWN);
    signals.emit('taskUnknown', UNKNOWN);
    expect(told).toEqual(['once', 'always', 'always']);
  });

  it('tells only of the tasks that were asked for', () => {
    const told: string[] = [];
    signals.connect('taskUnknown', ({ task }) => told.push(`mail: ${task}`), { task: 'mail.*' });
    signals.connect('taskUnknown', ({ task }) => told.push(`s: ${task}`), {
      matches: (task) => task.startsWith('s'),
    });
    signals.emit('taskUnknown', UNKNOWN);
    signals.emit('taskUnknown', { task: 'sms.send', id: 'id-2' });
    signals.emit('taskUnknown', { task: '', id: 'id-3' });
    expect(told).toEqual(['mail: mail.send', 's: sms.send']);
  });

  it('tells of workers whatever the filter', () => {
    const told: string[] = [];
    signals.connect('workerReady', ({ hostname }) => told.push(hostname), { task: 'mail.*' });
    signals.emit('workerReady', { hostname: 'celery@host', concurrency: 4, queues: ['celery'] });
    expect(told).toEqual(['celery@host']);
  });

  it('goes on when a listener throws or rejects, and logs where', async () => {
    const told: string[] = [];
    signals.connect('taskUnknown', function broken() {
      throw new Error('boom');
    });
    signals.connect('taskUnknown', () => Promise.reject(new Error('later')), {
      place: 'Audit.unknown in AppModule',
    });
    signals.connect('taskUnknown', () => told.push('last'));
    expect(() => signals.emit('taskUnknown', UNKNOWN)).not.toThrow();
    expect(told).toEqual(['last']);
    await signals.settle(1000);
    expect(lines).toEqual([
      "The listener broken of taskUnknown raised Error('boom'). The task and the worker go on.",
      'The listener Audit.unknown in AppModule of taskUnknown raised ' +
        "Error('later'). The task and the worker go on.",
    ]);
  });

  it('does not wait for async listeners, and settle does', async () => {
    const { promise, resolve } = deferred();
    let isSettled = false;
    signals.connect('taskUnknown', () => promise);
    signals.emit('taskUnknown', UNKNOWN);
    const settled = signals.settle(1000).then(() => (isSettled = true));
    await clock.advanceAsync(0);
    expect(isSettled).toBe(false);
    resolve();
    await settled;
  });

  it("logs to Nest's Logger unless told otherwise", () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    signals = new TaskSignals(clock);
    signals.connect('taskUnknown', () => {
      throw new Error('boom');
    });
    signals.emit('taskUnknown', UNKNOWN);
    expect(error).toHaveBeenCalledWith(
      expect.stringContaining("The listener a function of taskUnknown raised Error('boom')"),
      expect.stringContaining('Error: boom'),
    );
    error.mockRestore();
  });
});

describe('emitAndWait', () => {
  it('lets one listener end before it tells the next', async () => {
    const order: string[] = [];
    signals.connect('beforeTaskPublish', async ({ headers }) => {
      order.push('first');
      await Promise.resolve();
      headers['user'] = 7;
      order.push('first over');
    });
    signals.connect('beforeTaskPublish', () => Promise.reject(new Error('boom')));
    signals.connect('beforeTaskPublish', ({ headers }) => order.push(JSON.stringify(headers)));
    await signals.emitAndWait('beforeTaskPublish', { ...PUBLISH, headers: {} }, 1000);
    expect(order).toEqual(['first', 'first over', '{"user":7}']);
    expect(lines).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is over at once without listeners', async () => {
    await signals.emitAndWait('beforeTaskPublish', PUBLISH, 1000);
    expect(clock.pendingTimers).toBe(0);
  });

  it('gives up in time, names the one that hangs, and lets it go on', async () => {
    const { promise, resolve } = deferred();
    const told: string[] = [];
    signals.connect('beforeTaskPublish', () => promise, { place: 'Slow.stamp' });
    signals.connect('beforeTaskPublish', () => told.push('next'));
    const emitted = signals.emitAndWait('beforeTaskPublish', PUBLISH, 2000);
    await clock.advanceAsync(2000);
    await emitted;
    expect(told).toEqual([]);
    expect(lines).toEqual([
      'The listener Slow.stamp of beforeTaskPublish is not over after 2s, and is not waited for ' +
        'any longer.',
    ]);
    resolve();
    await clock.advanceAsync(0);
    expect(told).toEqual(['next']);
  });
});
