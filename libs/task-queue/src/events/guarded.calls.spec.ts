import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../clock/index.js';
import { GuardedCalls } from './guarded.calls.js';

let clock: ManualClock;
let lines: string[];
let calls: GuardedCalls;

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
  calls = new GuardedCalls(clock, {
    warn: (message) => void lines.push(`warn: ${message}`),
    error: (message, stack) => void lines.push(`error: ${message} ${stack?.split('\n')[0] ?? '-'}`),
  });
});

const nowhere = (): never => {
  throw new Error('The disk is full.');
};

describe('GuardedCalls', () => {
  it('calls at once, and knows when a call is over', async () => {
    const { promise, resolve } = deferred<string>();
    expect(calls.call('here', () => 3)).toBeUndefined();
    const ended = calls.call('there', () => promise);
    expect(calls.size).toBe(1);
    resolve('done');
    expect(await ended).toBeUndefined();
    expect(calls.size).toBe(0);
    expect(lines).toEqual([]);
  });

  it('logs what is thrown, rejected or worse, with its place', async () => {
    void calls.call('A', () => {
      throw new TypeError('boom');
    });
    await calls.call('B', () => Promise.reject(new Error('later')));
    void calls.call('C', () => {
      throw 'just text';
    });
    const get = (): never => {
      throw new Error('a trap');
    };
    const trap = new Proxy({}, { get });
    void calls.call('D', () => trap);
    await calls.call('E', () => Promise.reject(new Error('redis://me:hush@host is away')));
    expect(lines).toEqual([
      "error: A raised TypeError('boom'). The task and the worker go on. TypeError: boom",
      "error: B raised Error('later'). The task and the worker go on. Error: later",
      "error: C raised 'just text'. The task and the worker go on. -",
      "error: D raised Error('a trap'). The task and the worker go on. Error: a trap",
      expect.stringMatching(/^error: E raised Error\('redis:\/\/me:\*+@host is away'\)/),
    ]);
    expect(lines.join()).not.toContain('hush');
    expect(calls.size).toBe(0);
  });

  it('holds when the log throws', async () => {
    calls = new GuardedCalls(clock, { warn: nowhere, error: nowhere });
    expect(() => calls.call('A', nowhere)).not.toThrow();
    await expect(calls.call('B', async () => nowhere())).resolves.toBeUndefined();
    expect(() => calls.warn('hm')).not.toThrow();
  });

  describe('settle', () => {
    it('waits for all, those begun meanwhile included', async () => {
      const first = deferred();
      const second = deferred();
      let isSettled = false;
      void calls.call('A', async () => {
        await first.promise;
        void calls.call('B', () => second.promise);
      });
      const settled = calls.settle(1000).then(() => (isSettled = true));
      first.resolve();
      await clock.advanceAsync(0);
      expect([isSettled, calls.size]).toEqual([false, 1]);
      second.resolve();
      await settled;
      expect(clock.pendingTimers).toBe(0);
      expect(lines).toEqual([]);
    });

    it('is over at once when nothing is under way', async () => {
      await calls.settle(1000);
      expect(clock.pendingTimers).toBe(0);
    });

    it('gives up in time and names the places', async () => {
      const never = new Promise<void>(() => {});
      void calls.call('A', () => never);
      void calls.call('A', () => never);
      void calls.call('B', () => never);
      const settled = calls.settle(5000);
      await clock.advanceAsync(5000);
      await settled;
      expect(lines).toEqual([
        'warn: 3 call(s) of listeners are not over after 5s, and are not waited for: A, B.',
      ]);
    });
  });
});
