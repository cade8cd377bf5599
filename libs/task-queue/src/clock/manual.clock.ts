import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Clock, Timer } from './clock.port.js';

interface PendingTimer {
  readonly due: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * A clock for tests: its time moves only by `advance` and `advanceAsync`, and its timers fire in
 * the order of their due times (in the order they were set when due at once).
 */
export class ManualClock implements Clock {
  #now: number;
  #order = 0;
  /** Sorted by due time, the earliest last, so that firing is a `pop`. */
  readonly #timers: PendingTimer[] = [];

  /** @param start - Where the time begins, milliseconds since the epoch. Default 2026-01-01 UTC. */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  /** How many timers are set. Shows what was left behind. */
  get pendingTimers(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#now;
  }

  setTimer(delay: number, callback: () => void): Timer {
    const timer = { due: this.#now + Math.max(0, delay), order: this.#order++, callback };
    this.#timers.splice(this.#position(timer), 0, timer);
    return { clear: () => this.#clear(timer) };
  }

  /**
   * Moves the time by `ms` milliseconds and fires what comes due on the way, each at its own
   * time, timers set by a fired timer included. An error of a callback stops the advance there.
   *
   * @throws RangeError when `ms` is negative or not a finite number.
   */
  advance(ms: number): void {
    const target = this.#target(ms);
    while (this.#fireNext(target)) {
      // Until nothing more is due.
    }
    this.#now = Math.max(this.#now, target);
  }

  /**
   * As `advance`, and lets promises settle before the first timer, after every timer and at the
   * end, so that what awaits one timer can set the next.
   */
  async advanceAsync(ms: number): Promise<void> {
    const target = this.#target(ms);
    await nextTurn();
    while (this.#fireNext(target)) {
      await nextTurn();
    }
    this.#now = Math.max(this.#now, target);
    await nextTurn();
  }

  #target(ms: number): number {
    if (!Number.isFinite(ms) || ms < 0) {
      throw new RangeError(
        `The clock cannot be advanced by ${ms} ms: give a finite number, 0 or more.`,
      );
    }
    return this.#now + ms;
  }

  #fireNext(target: number): boolean {
    const timer = this.#timers.at(-1);
    if (timer === undefined || timer.due > target) {
      return false;
    }
    this.#timers.pop();
    this.#now = Math.max(this.#now, timer.due);
    timer.callback();
    return true;
  }

  #clear(timer: PendingTimer): void {
    const index = this.#position(timer);
    if (this.#timers[index] === timer) {
      this.#timers.splice(index, 1);
    }
  }

  /** The index of the first timer that fires no later than `timer`. */
  #position(timer: PendingTimer): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#timers[middle]!;
      if (other.due > timer.due || (other.due === timer.due && other.order > timer.order)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
