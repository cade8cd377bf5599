import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '../clock/index.js';
import { Pauses } from './pauses.js';

describe('Pauses', () => {
  it('last as long as they are asked to', async () => {
    const clock = new ManualClock();
    let over = false;
    void new Pauses(clock).of(100).then(() => (over = true));
    await clock.advanceAsync(99);
    expect(over).toBe(false);
    await clock.advanceAsync(1);
    expect(over).toBe(true);
  });

  it('are ended all at once, and leave no timer behind', async () => {
    const clock = new ManualClock();
    const pauses = new Pauses(clock);
    const both = Promise.all([pauses.of(100), pauses.of(Number.MAX_SAFE_INTEGER)]);
    pauses.endAll();
    await both;
    expect(clock.pendingTimers).toBe(0);
    pauses.endAll();
  });

  it('that begin after an end last their own time', async () => {
    const clock = new ManualClock();
    const pauses = new Pauses(clock);
    pauses.endAll();
    let over = false;
    void pauses.of(10).then(() => (over = true));
    await clock.advanceAsync(9);
    expect(over).toBe(false);
    await clock.advanceAsync(1);
    expect(over).toBe(true);
  });
});
