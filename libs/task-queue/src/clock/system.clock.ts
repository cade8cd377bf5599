import type { Clock, Timer } from './clock.port.js';

/** The longest delay that Node's timers take; longer ones are cut into pieces. */
const LONGEST_DELAY = 2 ** 31 - 1;

/** The system's clock and Node's timers. Delays have no upper bound. */
export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  setTimer(delay: number, callback: () => void, background = false): Timer {
    const due = Date.now() + Math.max(0, delay);
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const left = due - Date.now();
      handle =
        left > LONGEST_DELAY
          ? setTimeout(arm, LONGEST_DELAY)
          : setTimeout(callback, Math.max(0, left));
      if (background) {
        handle.unref();
      }
    };
    arm();
    return { clear: () => clearTimeout(handle) };
  }
}
