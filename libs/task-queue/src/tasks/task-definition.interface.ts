import type { Type } from '@nestjs/common';
import type { TaskContext } from './task.context.js';
import type { SharedTaskOptions } from './task-options.interface.js';

/** A method of a class. */
export type TaskMethod = (...args: any[]) => unknown;

/** What a class says about one of its tasks; needs no instance of the class. */
export interface TaskDefinition {
  /** The full name, for example `demoapp.tasks.add`. */
  readonly name: string;
  /** The class that was asked; the method may be declared by one of its ancestors. */
  readonly provider: Type;
  /** The name of the method. */
  readonly method: string;
  /** The method itself, unbound. */
  readonly handler: TaskMethod;
  /** The options as given to `@SharedTask`; frozen. */
  readonly options: Readonly<SharedTaskOptions>;
  /**
   * Positions of the parameters that a parameter decorator such as `@TaskCtx()` fills,
   * ascending. They take no argument from the message.
   */
  readonly injectedParameters: readonly number[];
  /** Where the task is written, for messages: `DemoTasks.add`. */
  readonly place: string;
}

/** A task that this process can run. */
export interface RegisteredTask {
  readonly name: string;
  readonly options: Readonly<SharedTaskOptions>;
  /** Where the task is written and provided: `DemoTasks.add in DemoModule`. */
  readonly place: string;
  readonly definition: TaskDefinition;
  /**
   * Runs the task: guards, interceptors, pipes, the method, filters.
   *
   * @param context - Becomes `TaskContext.current()` and, for request-scoped providers, what
   * `@Inject(REQUEST)` gives.
   * @param args - Positional arguments.
   * @param kwargs - Passed as one object after the positional arguments, unless empty.
   * @returns What the method returns; of an Observable the last value. Rejects with what it
   * throws, and never throws synchronously.
   */
  readonly invoke: (
    context: TaskContext,
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
  ) => Promise<unknown>;
}
