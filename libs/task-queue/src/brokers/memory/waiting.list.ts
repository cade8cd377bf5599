import type { StoredTask } from './stored-task.interface.js';

/** The waiting tasks of one priority: a doubly linked list, so that any of them leaves in O(1). */
export class WaitingList {
  #first: StoredTask | undefined;
  #last: StoredTask | undefined;
  #size = 0;

  get first(): StoredTask | undefined {
    return this.#first;
  }

  get size(): number {
    return this.#size;
  }

  append(task: StoredTask): void {
    task.previous = this.#last;
    task.next = undefined;
    if (this.#last) {
      this.#last.next = task;
    } else {
      this.#first = task;
    }
    this.#last = task;
    this.#size++;
  }

  prepend(task: StoredTask): void {
    task.previous = undefined;
    task.next = this.#first;
    if (this.#first) {
      this.#first.previous = task;
    } else {
      this.#last = task;
    }
    this.#first = task;
    this.#size++;
  }

  /** Takes out a task, which must be in this list. */
  remove(task: StoredTask): void {
    if (task.previous) {
      task.previous.next = task.next;
    } else {
      this.#first = task.next;
    }
    if (task.next) {
      task.next.previous = task.previous;
    } else {
      this.#last = task.previous;
    }
    task.previous = undefined;
    task.next = undefined;
    this.#size--;
  }
}
