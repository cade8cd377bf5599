import type { ChildMain } from './child-process.slot.js';
import type { Child } from './child.port.js';
import { ChildPool, type ChildPoolOptions } from './child.pool.js';
import { ThreadChild } from './thread.slot.js';

/**
 * Runs each task in one of `size` threads, one task at a time each: as `prefork`, with less
 * memory and a quicker start. `process.exit()` in a task ends its thread alone; a crash in
 * native code ends the whole worker. `max_memory_per_child` counts the heap of the thread.
 */
export class ThreadsPool extends ChildPool {
  readonly name = 'threads';

  constructor(
    options: ChildPoolOptions,
    private readonly main: ChildMain = {},
  ) {
    super(options);
  }

  protected spawn(): Child {
    return new ThreadChild(this.main);
  }
}
