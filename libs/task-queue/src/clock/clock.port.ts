/** A timer that can be taken back. */
export interface Timer {
  /** Takes the timer back; a no-op once it has fired. */
  clear(): void;
}

/**
 * Time as the rooms see it. The default is the system's; the memory broker and the tests put
 * their own in its place.
 */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /**
   * Calls `callback` once, `delay` milliseconds from now (at the next turn when 0 or less).
   * A timer never keeps the process alive by itself when `background` is true.
   */
  setTimer(delay: number, callback: () => void, background?: boolean): Timer;
}
