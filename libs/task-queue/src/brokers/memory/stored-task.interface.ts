import type { TaskLocation } from '../broker.port.js';
import type { HeapNode } from './timed.heap.js';

/** A task in the memory store. */
export interface StoredTask {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly data: string;
  readonly publishedAt: number;
  /** 0 to 9, higher first. */
  readonly priority: number;
  readonly expiresAt: number | undefined;
  state: TaskLocation['state'];
  redeliveries: number;
  postponements: number;
  /** Whose the task is while it is active. */
  token: string | undefined;
  leaseUntil: number;
  /** Its place among the delayed tasks of its queue. */
  due: HeapNode<StoredTask> | undefined;
  /** Its place among the tasks that will expire; none while a worker holds it. */
  expiry: HeapNode<StoredTask> | undefined;
  /** Its neighbours in the list of waiting tasks. */
  previous: StoredTask | undefined;
  next: StoredTask | undefined;
}
