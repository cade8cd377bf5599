import { describe, expect, it } from '@jest/globals';

import { ManualClock } from './manual.clock.js';

describe('ManualClock', () => {
  it('stands still until it is advanced', () => {
    const clock = new ManualClock(1_000);
    expect(clock.now()).toBe(1_000);
    clock.advance(250);
    expect(clock.now()).toBe(1_250);
  });

  it('fires timers by due time, then by the order they were set, each at its own time', () => {
    const clock = new ManualClock(0);
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name}@${clock.now()}`);
    clock.setTimer(30, note('c'));
    clock.setTimer(10, note('a'));
    clock.setTimer(20, note('b1'));
    clock.setTimer(20, note('b2'));
    clock.advance(25);
    expect(fired).toEqual(['a@10', 'b1@20', 'b2@20']);
    expect(clock.now()).toBe(25);
    clock.advance(5);
    expect(fired.at(-1)).toBe('c@30');
    expect(clock.pendingTimers).toBe(0);
  });

  it('fires a timer exactly at its time and not a millisecond before', () => {
    const clock = new ManualClock(0);
    let fired = 0;
    clock.setTimer(10, () => fired++);
    clock.advance(9);
    expect(fired).toBe(0);
    clock.advance(1);
    expect(fired).toBe(1);
    clock.advance(100);
    expect(fired).toBe(1);
  });

  it('fires timers that a timer sets, when they fall into the same advance', () => {
    const clock = new ManualClock(0);
    const times: number[] = [];
    const tick = (): void => {
      times.push(clock.now());
      clock.setTimer(10, tick);
    };
    clock.setTimer(10, tick);
    clock.advance(35);
    expect(times).toEqual([10, 20, 30]);
    expect(clock.pendingTimers).toBe(1);
  });

  it('treats a delay of 0 or less as due, at the next advance', () => {
    const clock = new ManualClock(0);
    let fired = 0;
    clock.setTimer(0, () => fired++);
    clock.setTimer(-5, () => fired++);
    expect(fired).toBe(0);
    clock.advance(0);
    expect(fired).toBe(2);
    expect(clock.now()).toBe(0);
  });

  it('takes timers back, among equals too, and twice is harmless', () => {
    const clock = new ManualClock(0);
    const fired: number[] = [];
    const timers = [1, 2, 3].map((n) => clock.setTimer(10, () => fired.push(n)));
    timers[1]!.clear();
    timers[1]!.clear();
    clock.advance(10);
    timers[0]!.clear();
    expect(fired).toEqual([1, 3]);
  });

  it('lets promises settle between timers in advanceAsync', async () => {
    const clock = new ManualClock(0);
    const sleep = (ms: number) => new Promise<void>((resolve) => void clock.setTimer(ms, resolve));
    const times: number[] = [];
    const walk = (async () => {
      for (let i = 0; i < 3; i++) {
        await sleep(10);
        times.push(clock.now());
      }
    })();
    await clock.advanceAsync(30);
    expect(times).toEqual([10, 20, 30]);
    await walk;
  });

  it('refuses to go back', async () => {
    const clock = new ManualClock(0);
    expect(() => clock.advance(-1)).toThrow(RangeError);
    expect(() => clock.advance(Number.NaN)).toThrow('cannot be advanced by NaN ms');
    await expect(clock.advanceAsync(Infinity)).rejects.toThrow(RangeError);
  });
});
