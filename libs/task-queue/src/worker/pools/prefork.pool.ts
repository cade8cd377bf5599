import { ProcessChild, type ChildMain } from './child-process.slot.js';
import type { Child } from './child.port.js';
import { ChildPool, type ChildPoolOptions } from './child.pool.js';

/**
 * Runs each task in one of `size` child processes, one task at a time each: right for tasks that
 * compute, that need a hard time limit, or that may crash. Celery's `prefork`, and its default.
 *
 * A child is a second start of the worker's main file, so it has the whole module. Its crash, by
 * whatever means, costs the task that it runs.
 */
export class PreforkPool extends ChildPool {
  readonly name = 'prefork';

  constructor(
    options: ChildPoolOptions,
    private readonly main: ChildMain = {},
  ) {
    super(options);
  }

  protected spawn(): Child {
    return new ProcessChild(this.main);
  }
}
