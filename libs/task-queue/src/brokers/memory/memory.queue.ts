import type { DeadLetter, QueueCounts } from '../broker.port.js';
import type { StoredTask } from './stored-task.interface.js';
import { TimedHeap } from './timed.heap.js';
import { WaitingLists } from './waiting.lists.js';

/** One queue: who waits, who is delayed, who is held, who is dead. */
export class MemoryQueue {
  readonly #waiting = new WaitingLists();
  readonly #delayed = new TimedHeap<StoredTask>();
  readonly #active = new Map<string, StoredTask>();
  /** By id, the oldest first. */
  readonly #dead = new Map<string, DeadLetter>();

  get counts(): QueueCounts {
    return {
      waiting: this.#waiting.size,
      delayed: this.#delayed.size,
      active: this.#active.size,
      dead: this.#dead.size,
    };
  }

  get hasWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** When the next delayed task is due. */
  get nextDueAt(): number | undefined {
    return this.#delayed.first?.at;
  }

  /** Puts a task at the end of the queue, behind those of its priority. */
  append(task: StoredTask): void {
    task.state = 'waiting';
    this.#waiting.append(task);
  }

  /** Puts a task at the front of the queue, before those of its priority. */
  prepend(task: StoredTask): void {
    task.state = 'waiting';
    this.#waiting.prepend(task);
  }

  delay(task: StoredTask, dueAt: number): void {
    task.state = 'delayed';
    task.due = this.#delayed.add(dueAt, task);
  }

  /** Moves the delayed tasks that are due to the end of the queue, in the order of their times. */
  promote(now: number): void {
    for (let task = this.#delayed.takeDue(now); task; task = this.#delayed.takeDue(now)) {
      task.due = undefined;
      this.append(task);
    }
  }

  /** Takes the next waiting task and makes it active. */
  take(): StoredTask | undefined {
    const task = this.#waiting.first;
    if (task) {
      this.#waiting.remove(task);
      task.state = 'active';
      this.#active.set(task.id, task);
    }
    return task;
  }

  /** Takes a task out, wherever it is. */
  withdraw(task: StoredTask): void {
    if (task.state === 'waiting') {
      this.#waiting.remove(task);
    } else if (task.state === 'active') {
      this.#active.delete(task.id);
    } else if (task.state === 'dead') {
      this.#dead.delete(task.id);
    } else if (task.due) {
      this.#delayed.remove(task.due);
      task.due = undefined;
    }
  }

  /** The active tasks whose lease is over, the longest held first. */
  lost(now: number): StoredTask[] {
    return [...this.#active.values()].filter((task) => task.leaseUntil <= now);
  }

  bury(task: StoredTask, reason: string, now: number): void {
    this.withdraw(task);
    task.state = 'dead';
    const { id, name, queue, data } = task;
    this.#dead.set(id, { id, name, queue, data, reason, diedAt: now });
  }

  deadLetters(limit: number): DeadLetter[] {
    return [...this.#dead.values()].toReversed().slice(0, Math.max(0, limit));
  }

  /** Takes out all waiting and delayed tasks. */
  clear(): StoredTask[] {
    const removed: StoredTask[] = [];
    for (let task = this.#waiting.first; task; task = this.#waiting.first) {
      this.#waiting.remove(task);
      removed.push(task);
    }
    for (let task = this.#delayed.takeDue(Infinity); task; task = this.#delayed.takeDue(Infinity)) {
      task.due = undefined;
      removed.push(task);
    }
    return removed;
  }
}
