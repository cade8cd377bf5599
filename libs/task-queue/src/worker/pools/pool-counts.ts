import { ImproperlyConfigured } from '../../errors/task-queue.errors.js';

/** Checks a number of slots. @throws ImproperlyConfigured */
export function assertSlots(n: number): void {
  if (!Number.isInteger(n) || n < 1) {
    throw new ImproperlyConfigured(
      `A pool has, gains and loses a whole number of slots, at least 1, not ${n}. Correct the ` +
        'number.',
    );
  }
}
