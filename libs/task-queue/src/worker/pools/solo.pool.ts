import { ImproperlyConfigured } from '../../errors/task-queue.errors.js';
import { AsyncPool } from './async.pool.js';
import type { LimitSupport } from './pool.port.js';

/**
 * Runs one task at a time in the worker's own process: for debugging, and for tasks that must
 * not overlap within a worker. It cannot grow, and honours no hard time limit: a task that went
 * on after its limit would overlap with the next.
 */
export class SoloPool extends AsyncPool {
  override readonly name = 'solo';
  override readonly limits: LimitSupport = { soft: true, hard: false, blocked: false };

  constructor() {
    super(1);
  }

  override grow(): number {
    throw this.fixed('grow');
  }

  override shrink(): number {
    throw this.fixed('shrink');
  }

  private fixed(verb: string): ImproperlyConfigured {
    return new ImproperlyConfigured(
      `The pool 'solo' runs one task at a time and cannot ${verb}. Start the worker with ` +
        '-P async, -P threads or -P prefork to change the number of tasks.',
    );
  }
}
