import type { StoredTask } from './stored-task.interface.js';
import { WaitingList } from './waiting.list.js';

/** How many priorities there are: 0 to 9. */
const PRIORITIES = 10;

/** The waiting tasks of a queue by priority, the highest first. */
export class WaitingLists {
  readonly #lists = Array.from({ length: PRIORITIES }, () => new WaitingList());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The next task: the first of those with the highest priority. */
  get first(): StoredTask | undefined {
    return this.#lists.findLast((list) => list.size > 0)?.first;
  }

  /** Puts a task behind those of its priority. */
  append(task: StoredTask): void {
    this.#lists[task.priority]!.append(task);
    this.#size++;
  }

  /** Puts a task before those of its priority. */
  prepend(task: StoredTask): void {
    this.#lists[task.priority]!.prepend(task);
    this.#size++;
  }

  /** Takes out a task, which must be waiting here. */
  remove(task: StoredTask): void {
    this.#lists[task.priority]!.remove(task);
    this.#size--;
  }
}
