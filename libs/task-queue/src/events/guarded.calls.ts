import type { Clock } from '../clock/index.js';
import { isError } from '../errors/task-queue.errors.js';
import { maskUrlPasswords, reprValue } from '../messages/index.js';

/** Where the errors of listeners go; Nest's `Logger` fits. */
export interface ListenerLog {
  warn(message: string): void;
  error(message: string, stack?: string): void;
}

/** Longest repr of an error in a line, characters. */
const REPR_LENGTH = 256;

/** Calls what must not break its caller, and knows what of it is not over yet. */
export class GuardedCalls {
  private readonly pending = new Map<Promise<void>, string>();

  constructor(
    private readonly clock: Clock,
    private readonly log: ListenerLog,
  ) {}

  /** How many calls are not over. */
  get size(): number {
    return this.pending.size;
  }

  /**
   * Calls `fn` now. What it throws or rejects with is logged as an error of `place`.
   *
   * @returns `undefined` when the call is over, else a promise of its end that never rejects.
   */
  call(place: string, fn: () => unknown): Promise<void> | undefined {
    try {
      const answer = fn();
      return isThenable(answer) ? this.track(place, this.guard(place, answer)) : undefined;
    } catch (error) {
      this.report(place, error);
      return undefined;
    }
  }

  /** Counts `promise`, which never rejects, among what is not over until it is. */
  track(place: string, promise: Promise<void>): Promise<void> {
    const tracked = promise.then(() => void this.pending.delete(tracked));
    this.pending.set(tracked, place);
    return tracked;
  }

  /**
   * Waits until all calls are over, those begun meanwhile included, or `patience` milliseconds
   * have passed; then the log names those that are not. Never rejects.
   */
  async settle(patience: number): Promise<void> {
    if (this.size > 0 && !(await this.within(patience, this.allOver()))) {
      const places = [...new Set(this.pending.values())].join(', ');
      this.warn(
        `${this.size} call(s) of listeners are not over after ${patience / 1000}s, and are not ` +
          `waited for: ${places}.`,
      );
    }
  }

  /** Waits for `promise`, which never rejects. @returns Whether it was over in time. */
  async within(patience: number, promise: Promise<void>): Promise<boolean> {
    let giveUp!: (isOver: false) => void;
    const tooLate = new Promise<false>((resolve) => {
      giveUp = resolve;
    });
    const timer = this.clock.setTimer(patience, () => giveUp(false));
    try {
      return await Promise.race([promise.then(() => true), tooLate]);
    } finally {
      timer.clear();
    }
  }

  /** Logs a warning; a log that fails must not break a task either. */
  warn(message: string): void {
    try {
      this.log.warn(message);
    } catch {
      // There is nowhere left to say it.
    }
  }

  /** Logs what a listener threw. Never throws. */
  report(place: string, thrown: unknown): void {
    try {
      const what = reprValue(thrown, REPR_LENGTH);
      this.log.error(`${place} raised ${what}. The task and the worker go on.`, stackOf(thrown));
    } catch {
      // There is nowhere left to say it.
    }
  }

  private async allOver(): Promise<void> {
    while (this.pending.size > 0) {
      await Promise.all(this.pending.keys());
    }
  }

  private async guard(place: string, answer: PromiseLike<unknown>): Promise<void> {
    try {
      await answer;
    } catch (error) {
      this.report(place, error);
    }
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

function stackOf(thrown: unknown): string | undefined {
  const stack: unknown = isError(thrown) ? thrown.stack : undefined;
  // The first line of a stack is the message, which may quote a URL.
  return typeof stack === 'string' ? maskUrlPasswords(stack) : undefined;
}
