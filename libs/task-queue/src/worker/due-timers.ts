import type { Clock, Timer } from '../clock/index.js';

/** Remembers when the next delayed task of each queue is due. */
export class DueTimers {
  private readonly timers = new Map<string, { readonly at: number; readonly timer: Timer }>();

  /** @param onDue - Called with a queue whose next delayed task is due. */
  constructor(
    private readonly clock: Clock,
    private readonly onDue: (queue: string) => void,
  ) {}

  /** @param at - Milliseconds since the epoch; of several times the earliest counts. */
  note(queue: string, at: number): void {
    const planned = this.timers.get(queue);
    if (planned && planned.at <= at) {
      return;
    }
    planned?.timer.clear();
    const timer = this.clock.setTimer(at - this.clock.now(), () => {
      this.timers.delete(queue);
      this.onDue(queue);
    });
    this.timers.set(queue, { at, timer });
  }

  clear(): void {
    this.timers.forEach(({ timer }) => timer.clear());
    this.timers.clear();
  }
}
