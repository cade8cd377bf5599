import type { TaskHookArguments, TaskHookKind } from './task-hook.decorators.js';

/** A hook of a task. */
export interface TaskHook {
  readonly kind: TaskHookKind;
  /** Where it is written: `Mail.sendFailed in MailModule`. */
  readonly place: string;
  /** Calls the method of the provider. */
  readonly run: (...args: TaskHookArguments[TaskHookKind]) => unknown;
}

const NONE: readonly TaskHook[] = Object.freeze([]);

/** Holds the hooks of the tasks, by name of the task. */
export class TaskHookRegistry {
  private readonly hooks = new Map<string, TaskHook[]>();

  /** Adds a hook after those that the task has. */
  add(task: string, hook: TaskHook): void {
    const known = this.hooks.get(task);
    if (known) {
      known.push(hook);
    } else {
      this.hooks.set(task, [hook]);
    }
  }

  /** Whether the task has any hook. */
  has(task: string): boolean {
    return this.hooks.has(task);
  }

  /** The hooks of that kind, in the order they were added. */
  of(task: string, kind: TaskHookKind): readonly TaskHook[] {
    return this.hooks.get(task)?.filter((hook) => hook.kind === kind) ?? NONE;
  }
}
