import type { Clock } from '../clock/index.js';

/** Pauses that can be ended all at once, so that a shutdown need not sit them out. */
export class Pauses {
  private readonly endings = new Set<() => void>();

  constructor(private readonly clock: Clock) {}

  /** Resolves after `ms` milliseconds, or at the next `endAll`. */
  of(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.clear();
        this.endings.delete(end);
        resolve();
      };
      const timer = this.clock.setTimer(ms, end);
      this.endings.add(end);
    });
  }

  endAll(): void {
    this.endings.forEach((end) => end());
  }
}
