import { LeaseLostError } from '../../errors/task-queue.errors.js';
import type {
  DeadLetter,
  Fetched,
  Lease,
  Outcome,
  OutgoingTask,
  QueueCounts,
  ResultRecord,
  RevokeAnswer,
  TaskLocation,
} from '../broker.port.js';
import { MemoryBroadcastBus } from './memory-broadcast.bus.js';
import { MemoryQueue } from './memory.queue.js';
import { MemoryResultTable } from './memory-result.table.js';
import { RevocationTable } from './revocation.table.js';
import type { StoredTask } from './stored-task.interface.js';
import { TimedHeap } from './timed.heap.js';

/** How long a finished id is remembered for producers that try again, milliseconds. */
const REMEMBERED = 60_000;

/** Told of queues that may have new work. */
export type WorkListener = (queue: string) => void;

/**
 * What memory brokers hold in common: give one store to several brokers and they are several
 * processes on one store. Every method is one atomic step, because none of them waits.
 */
export class MemoryStore {
  readonly results = new MemoryResultTable();
  readonly broadcasts = new MemoryBroadcastBus();
  readonly #tasks = new Map<string, StoredTask>();
  readonly #queues = new Map<string, MemoryQueue>();
  readonly #expiring = new TimedHeap<StoredTask>();
  /** When ids finished, the oldest first. */
  readonly #finished = new Map<string, number>();
  readonly #revoked = new RevocationTable();
  readonly #workListeners = new Set<WorkListener>();
  readonly #renewals = new Set<() => void>();
  #tokens = 0;

  publish(tasks: readonly OutgoingTask[], retrying: boolean, now: number): void {
    const touched = new Set<string>();
    for (const task of tasks) {
      const known = this.#tasks.has(task.id) || (retrying && this.#hasRun(task.id, now));
      // A queue exists from its first publish on, also when that turned out to be a repeat.
      const queue = this.#queue(task.queue);
      if (!known) {
        this.#add(task, queue, now);
        touched.add(task.queue);
      }
    }
    touched.forEach((queue) => this.#tellWork(queue));
  }

  fetch(queueName: string, leaseDuration: number, now: number): Fetched {
    const queue = this.#queues.get(queueName);
    queue?.promote(now);
    const task = queue?.take();
    const nextDueAt = queue?.nextDueAt;
    const due = nextDueAt === undefined ? {} : { nextDueAt };
    if (!task) {
      return due;
    }
    this.#stopExpiry(task);
    const token = `${++this.#tokens}`;
    task.token = token;
    task.leaseUntil = now + leaseDuration;
    const { id, name, data, publishedAt, redeliveries, postponements } = task;
    const lease = { id, queue: queueName, token };
    const revoked = this.#revoked.has(id, now);
    return {
      delivery: { lease, name, data, publishedAt, redeliveries, postponements, revoked },
      ...due,
    };
  }

  finish(lease: Lease, outcome: Outcome, now: number): void {
    const task = this.#held(lease);
    const queue = this.#queue(task.queue);
    task.token = undefined;
    if (outcome.deadLetter === undefined) {
      queue.withdraw(task);
      this.#tasks.delete(task.id);
    } else {
      queue.bury(task, outcome.deadLetter, now);
    }
    this.#revoked.delete(task.id);
    this.#remember(task.id, now);
    this.#tellOutcome(task, outcome, now);
    if (outcome.publish) {
      this.publish(outcome.publish, false, now);
    }
  }

  /** The task keeps its id, its name, the count of its losses and whether it was revoked. */
  retry(
    lease: Lease,
    outgoing: OutgoingTask,
    outcome: Pick<Outcome, 'record' | 'announce'>,
    now: number,
  ): void {
    const task = this.#held(lease);
    this.#drop(task);
    const { id, name, redeliveries } = task;
    const message = { ...outgoing, id, name };
    this.#add(message, this.#queue(outgoing.queue), now, redeliveries);
    this.#tellOutcome(task, outcome, now);
    this.#tellWork(outgoing.queue);
  }

  release(lease: Lease): void {
    const task = this.#held(lease);
    const queue = this.#queue(task.queue);
    this.#leave(task, queue);
    queue.prepend(task);
    this.#tellWork(task.queue);
  }

  postpone(lease: Lease, delay: number, now: number): void {
    const task = this.#held(lease);
    const queue = this.#queue(task.queue);
    this.#leave(task, queue);
    task.postponements++;
    queue.delay(task, now + Math.max(0, delay));
    this.#tellWork(task.queue);
  }

  /** @returns `false` when the lease is lost. */
  renew(lease: Lease, leaseDuration: number, now: number): boolean {
    const task = this.#tasks.get(lease.id);
    if (task?.token !== lease.token) {
      return false;
    }
    task.leaseUntil = now + leaseDuration;
    return true;
  }

  reclaim(queueName: string, now: number): string[] {
    const queue = this.#queues.get(queueName);
    // A living keeper renews first, even when a blocked event loop has made its timer late.
    this.#renewals.forEach((renew) => renew());
    const lost = queue?.lost(now) ?? [];
    for (const task of lost.toReversed()) {
      this.#leave(task, queue!);
      task.redeliveries++;
      queue!.prepend(task);
    }
    if (lost.length > 0) {
      this.#tellWork(queueName);
    }
    return lost.map((task) => task.id);
  }

  expire(record: (id: string) => ResultRecord | undefined, now: number): string[] {
    const expired: string[] = [];
    for (let node = this.#expiring.first; node && node.at <= now; node = this.#expiring.first) {
      const task = node.item;
      const stored = record(task.id);
      this.#drop(task);
      this.#revoked.delete(task.id);
      if (stored) {
        this.results.put(stored, now);
      }
      expired.push(task.id);
    }
    return expired;
  }

  revoke(id: string, record: ResultRecord | undefined, keepFor: number, now: number): RevokeAnswer {
    const task = this.#tasks.get(id);
    if (task?.state === 'active') {
      this.#revoked.add(id, now + keepFor);
      return 'active';
    }
    if (record) {
      this.results.put(record, now);
    }
    // A dead task has ended: the mark is for the day it is put back.
    if (task === undefined || task.state === 'dead') {
      this.#revoked.add(id, now + keepFor);
      return 'unknown';
    }
    this.#drop(task);
    this.#revoked.delete(id);
    this.#remember(id, now);
    return 'ended';
  }

  locate(id: string, now: number): TaskLocation | undefined {
    const task = this.#tasks.get(id);
    if (!task) {
      return undefined;
    }
    this.#queue(task.queue).promote(now);
    return { queue: task.queue, state: task.state };
  }

  queues(): string[] {
    return [...this.#queues.keys()].toSorted();
  }

  counts(queueName: string, now: number): QueueCounts {
    const queue = this.#queues.get(queueName);
    queue?.promote(now);
    return queue?.counts ?? { waiting: 0, delayed: 0, active: 0, dead: 0 };
  }

  deadLetters(queueName: string, limit: number): DeadLetter[] {
    return this.#queues.get(queueName)?.deadLetters(limit) ?? [];
  }

  /** @returns `false` when there is no such dead letter. */
  redrive(queueName: string, id: string, now: number): boolean {
    const letter = this.#takeDead(queueName, id);
    if (letter) {
      const { name, data, priority } = letter;
      const message = { id, name, queue: queueName, data, priority };
      this.#add(message, this.#queue(queueName), now);
      this.#tellWork(queueName);
    }
    return letter !== undefined;
  }

  /** @returns `false` when there is no such dead letter. */
  discard(queueName: string, id: string): boolean {
    return this.#takeDead(queueName, id) !== undefined;
  }

  purge(queueName: string): number {
    const removed = this.#queues.get(queueName)?.clear() ?? [];
    for (const task of removed) {
      this.#stopExpiry(task);
      this.#tasks.delete(task.id);
      this.#revoked.delete(task.id);
    }
    return removed.length;
  }

  hasWork(queueName: string, now: number): boolean {
    const queue = this.#queues.get(queueName);
    queue?.promote(now);
    return queue?.hasWaiting ?? false;
  }

  /** When the next delayed task of a queue is due. */
  nextDueAt(queueName: string): number | undefined {
    return this.#queues.get(queueName)?.nextDueAt;
  }

  /** Tells `listener` of new work from now on. @returns the way to stop it. */
  onWork(listener: WorkListener): () => void {
    this.#workListeners.add(listener);
    return () => this.#workListeners.delete(listener);
  }

  /** Lets a keeper of leases renew before anything is reclaimed. @returns the way to stop it. */
  onReclaim(renew: () => void): () => void {
    this.#renewals.add(renew);
    return () => this.#renewals.delete(renew);
  }

  #add(outgoing: OutgoingTask, queue: MemoryQueue, now: number, redeliveries = 0): void {
    const { id, name, queue: queueName, data, dueAt, expiresAt, priority = 0 } = outgoing;
    const task: StoredTask = {
      id,
      name,
      queue: queueName,
      data,
      publishedAt: now,
      priority,
      expiresAt,
      state: 'waiting',
      redeliveries,
      postponements: 0,
      token: undefined,
      leaseUntil: 0,
      due: undefined,
      expiry: undefined,
      previous: undefined,
      next: undefined,
    };
    this.#tasks.set(id, task);
    this.#startExpiry(task);
    // Those that are due by now come before it.
    queue.promote(now);
    if (dueAt !== undefined && dueAt > now) {
      queue.delay(task, dueAt);
    } else {
      queue.append(task);
    }
  }

  #held(lease: Lease): StoredTask {
    const task = this.#tasks.get(lease.id);
    if (task === undefined || task.token !== lease.token) {
      throw new LeaseLostError(lease.id);
    }
    return task;
  }

  /** Takes a task from who holds it; the caller puts it somewhere else. */
  #leave(task: StoredTask, queue: MemoryQueue): void {
    queue.withdraw(task);
    task.token = undefined;
    this.#startExpiry(task);
  }

  /** Removes a task, wherever it is. */
  #drop(task: StoredTask): void {
    this.#stopExpiry(task);
    this.#queue(task.queue).withdraw(task);
    this.#tasks.delete(task.id);
  }

  #takeDead(queueName: string, id: string): StoredTask | undefined {
    const task = this.#tasks.get(id);
    if (task?.state !== 'dead' || task.queue !== queueName) {
      return undefined;
    }
    this.#drop(task);
    return task;
  }

  #tellOutcome(task: StoredTask, outcome: Pick<Outcome, 'record' | 'announce'>, now: number): void {
    if (outcome.record) {
      this.results.put(outcome.record, now);
    }
    if (outcome.announce !== undefined) {
      this.results.announce(task.id, outcome.announce);
    }
  }

  #startExpiry(task: StoredTask): void {
    if (task.expiresAt !== undefined) {
      task.expiry = this.#expiring.add(task.expiresAt, task);
    }
  }

  #stopExpiry(task: StoredTask): void {
    if (task.expiry) {
      this.#expiring.remove(task.expiry);
      task.expiry = undefined;
    }
  }

  #hasRun(id: string, now: number): boolean {
    this.#forget(now);
    return this.#finished.has(id) || this.results.get(id, now) !== undefined;
  }

  #remember(id: string, now: number): void {
    this.#forget(now);
    this.#finished.delete(id);
    this.#finished.set(id, now);
  }

  #forget(now: number): void {
    for (const [id, at] of this.#finished) {
      if (at + REMEMBERED > now) {
        return;
      }
      this.#finished.delete(id);
    }
  }

  #queue(name: string): MemoryQueue {
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = new MemoryQueue();
      this.#queues.set(name, queue);
    }
    return queue;
  }

  #tellWork(queue: string): void {
    for (const listener of this.#workListeners) {
      listener(queue);
    }
  }
}
