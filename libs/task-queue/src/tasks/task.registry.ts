import { ImproperlyConfigured, NotRegistered } from '../errors/task-queue.errors.js';
import type { ErrorClass } from '../messages/error-classes.js';
import { nearestName } from '../settings/nearest-name.util.js';
import type { RegisteredTask } from './task-definition.interface.js';

/** Holds the tasks that this process can run, by name. Celery's `app.tasks`. */
export class TaskRegistry {
  private readonly tasks = new Map<string, RegisteredTask>();

  /**
   * Adds a task.
   *
   * @throws ImproperlyConfigured when there is one of that name; the message shows both places.
   */
  register(task: RegisteredTask): void {
    const other = this.tasks.get(task.name);
    if (other) {
      throw new ImproperlyConfigured(
        `Two tasks have the name '${task.name}': ${other.place} and ${task.place}. Give one of ` +
          'them another { name } or its class another @TaskNamespace; if they are one class, ' +
          'provide it in one module and let the others import that module.',
      );
    }
    this.tasks.set(task.name, task);
  }

  /**
   * The task of that name.
   *
   * @throws NotRegistered when there is none; the message names the nearest one.
   */
  get(name: string): RegisteredTask {
    const task = this.tasks.get(name);
    if (task) {
      return task;
    }
    const nearest = nearestName(name, this.tasks.keys());
    throw new NotRegistered(
      name,
      `No task named '${name}' is registered in this process. ` +
        (nearest
          ? `Did you mean '${nearest}'?`
          : 'Add its class to the providers of a module that this application imports, and ' +
            'check its @SharedTask name and @TaskNamespace.'),
    );
  }

  /** Whether there is a task of that name. */
  has(name: string): boolean {
    return this.tasks.has(name);
  }

  /** All names, sorted. */
  names(): string[] {
    return [...this.tasks.keys()].toSorted();
  }

  /**
   * The classes that the tasks list in `throws`, by the name of the class, for rebuilding errors
   * from results. A name that stands for two different classes is left out: nothing in a result
   * tells which of them is meant.
   */
  errorClasses(): ReadonlyMap<string, ErrorClass> {
    const classes = new Map<string, ErrorClass>();
    const ambiguous = new Set<string>();
    for (const { options } of this.tasks.values()) {
      for (const cls of options.throws ?? []) {
        if ((classes.get(cls.name) ?? cls) !== cls) {
          ambiguous.add(cls.name);
        }
        classes.set(cls.name, cls);
      }
    }
    for (const name of ambiguous) {
      classes.delete(name);
    }
    return classes;
  }
}
