/**
 * The Broker port: all that the rest of the library asks of a store of tasks.
 *
 * Words used throughout: a *task* is published into a *queue*; a worker *fetches* it and holds a
 * *lease* on it while it runs; it *finishes* it with an *outcome*, which acknowledges the task,
 * records its result and publishes its successors together; it may *release* it (hand it back
 * unrun) or *postpone* it (put it back with a delay). A lease that is not renewed expires, and
 * the task is *reclaimed* for the next worker.
 *
 * All times are milliseconds since the epoch and all durations milliseconds, unless said
 * otherwise. Every driver passes `test/conformance/broker.conformance.ts` unchanged.
 *
 * A driver opens no connection before its first call. When the store cannot be reached, calls
 * made for a producer (`publish`, `watch`, reads of results) throw `OperationalError` within the
 * connection timeout; calls made for a consumer throw it too, and the worker tries again.
 */

/** A task on its way into the store. */
export interface OutgoingTask {
  /** The task id, given in advance; 1 to 200 bytes, no `:`, not an integer. */
  readonly id: string;
  /** The name of the task, for example `demoapp.tasks.add`. */
  readonly name: string;
  readonly queue: string;
  /** The wire form of the message (`messages/envelope.ts`). */
  readonly data: string;
  /** Not to be fetched before this time. Absent or past: at once. */
  readonly dueAt?: number;
  /** When the task expires. Absent: never. */
  readonly expiresAt?: number;
  /** 0 to 9, higher first; within one priority first in, first out. Absent: 0. */
  readonly priority?: number;
}

/** Proof that this worker holds the task. A new token for every fetch. */
export interface Lease {
  readonly id: string;
  readonly queue: string;
  readonly token: string;
}

/** A fetched task. */
export interface Delivery {
  readonly lease: Lease;
  readonly name: string;
  /** The wire form of the message; may be anything when somebody else wrote it. */
  readonly data: string;
  readonly publishedAt: number;
  /** How often a worker that held this task was lost. 0 on the first delivery. */
  readonly redeliveries: number;
  /** How often the task was postponed since it was published or retried. */
  readonly postponements: number;
  /** Whether the task was revoked while a worker held it, or before it was published. */
  readonly revoked: boolean;
}

/** The answer to a fetch: a delivery, or when the next delayed task of the queue is due. */
export interface Fetched {
  readonly delivery?: Delivery;
  /** Absent when the queue has no delayed task. */
  readonly nextDueAt?: number;
}

/** A result as the store sees it: an opaque text under a task's id. */
export interface ResultRecord {
  readonly id: string;
  /** The state, for example `SUCCESS`. The first of SUCCESS, FAILURE and REVOKED is final. */
  readonly status: string;
  /** The result in Celery's JSON form, beginning with `{"status":"<status>"`. */
  readonly payload: string;
  /** How long the store keeps it, milliseconds; `null` for ever. */
  readonly ttl: number | null;
}

/** What becomes of a task that ran. All of it is stored together, or none of it. */
export interface Outcome {
  /** The result, when the broker's own store keeps the results. */
  readonly record?: ResultRecord;
  /** The result's text, when it is kept elsewhere: only wakes who waits for it. */
  readonly announce?: string;
  /** Tasks that follow. */
  readonly publish?: readonly OutgoingTask[];
  /** Keeps the message in the dead-letter list, with the reason, instead of dropping it. */
  readonly deadLetter?: string;
}

export interface QueueCounts {
  readonly waiting: number;
  readonly delayed: number;
  readonly active: number;
  /** Tasks in the dead-letter list. */
  readonly dead: number;
}

/** A message in the dead-letter list. */
export interface DeadLetter {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly data: string;
  readonly reason: string;
  readonly diedAt: number;
}

/** Where a task is that has not ended. */
export interface TaskLocation {
  readonly queue: string;
  readonly state: 'waiting' | 'delayed' | 'active' | 'dead';
}

/** What `revoke` found: the task was ended, a worker holds it, or it is not in the store. */
export type RevokeAnswer = 'ended' | 'active' | 'unknown';

/** A queue that may have work: now, or at `dueAt`. */
export interface WorkSign {
  readonly queue: string;
  readonly dueAt?: number;
}

/** The broker's own store of results. */
export interface ResultStore {
  /**
   * Stores a record and wakes who waits for it.
   * @returns `false` when a final state was there already: nothing was changed.
   */
  put(record: ResultRecord): Promise<boolean>;
  get(id: string): Promise<string | undefined>;
  /** In the order of `ids`. */
  getMany(ids: readonly string[]): Promise<(string | undefined)[]>;
  /** Removes the record. A no-op when there is none. */
  remove(id: string): Promise<void>;
  /** Stores a text under a free key, for group results. */
  putGroup(id: string, payload: string, ttl: number | null): Promise<void>;
  getGroup(id: string): Promise<string | undefined>;
  removeGroup(id: string): Promise<void>;
}

/** What the broker's store had for an id when the watch began. */
export interface Seen {
  /** Absent: nothing was stored yet. */
  readonly payload?: string;
}

/** Called when something was stored for a watched id; `payload` is absent when it is large. */
export type ResultListener = (id: string, payload: string | undefined) => void;

/**
 * Renews the leases of this process off the main thread, so that a task that blocks the event
 * loop keeps its lease.
 */
export interface LeaseKeeper {
  /** Begins to renew. Call at once after the fetch, before anything else. */
  add(lease: Lease): void;
  /** Ends renewing. A no-op for an unknown lease. */
  remove(lease: Lease): void;
  /** Called when a lease turned out to be lost. */
  onLost(listener: (lease: Lease) => void): void;
  close(): Promise<void>;
}

export interface Broker {
  /** For the banner and for errors: scheme, host, port, database; never a password. */
  readonly description: string;
  /** The broker's own results. */
  readonly results: ResultStore;

  // --- producers

  /**
   * Stores tasks. When it resolves, all of them are stored. Publishing an id that is still in
   * its queue changes nothing.
   *
   * @param retrying - Says that an earlier call with these ids broke on the way: an id whose
   * task has already run since then is not stored again.
   */
  publish(tasks: readonly OutgoingTask[], retrying?: boolean): Promise<void>;
  /**
   * Asks to be told of results stored for `id`; resolves when later ones cannot be missed. A
   * driver that sees in the same step what its own store has says so; the others say nothing.
   */
  watch(id: string): Promise<Seen | void>;
  unwatch(id: string): Promise<void>;
  /** Sets the one listener of this process for watched ids. */
  onResult(listener: ResultListener): void;
  /** Wakes who watches `id`, for results kept elsewhere. */
  announce(id: string, payload: string): Promise<void>;
  /**
   * Revokes a task. One that waits or is delayed is removed, and `record` is stored, together.
   * One that a worker holds goes on, and is marked: should it be fetched again, the delivery says
   * `revoked`. An id that is not in the store is marked, too, for a task that is published later;
   * its record is stored unless there is a final one. Marks end with the task, or after `keepFor`
   * milliseconds.
   */
  revoke(id: string, record: ResultRecord | undefined, keepFor: number): Promise<RevokeAnswer>;
  /** Tells every process that listens, this one too. Nothing is kept for who comes later. */
  broadcast(text: string): Promise<void>;
  /** Sets the one listener of this process; resolves when later broadcasts cannot be missed. */
  onBroadcast(listener: (text: string) => void): Promise<void>;
  /** Where a task is that has not ended, or `undefined`. */
  locate(id: string): Promise<TaskLocation | undefined>;

  // --- consumers

  /** Opens the consumer's connections; throws `OperationalError` when the store is away. */
  connect(): Promise<void>;
  /** Takes the next task of `queue` under a lease of `broker_lease_duration`. */
  fetch(queue: string): Promise<Fetched>;
  /**
   * Acknowledges a task with everything that follows from it.
   *
   * @param fetchNext - Also fetch the next task of the same queue, in the same step.
   * @throws LeaseLostError when the lease is not held any more: nothing was stored.
   */
  finish(lease: Lease, outcome: Outcome, fetchNext: boolean): Promise<Fetched>;
  /**
   * Puts a task back under a new message: Celery's retry. In one step the lease ends, the message
   * is replaced by `task` (same id; its queue, data, dueAt, expiresAt and priority count), and the
   * record (a state that is not final) is stored or the announcement made.
   *
   * @throws LeaseLostError when the lease is not held any more: nothing was stored.
   */
  retry(
    lease: Lease,
    task: OutgoingTask,
    outcome: Pick<Outcome, 'record' | 'announce'>,
  ): Promise<void>;
  /** Hands a task back unrun: it is the next of its queue. @throws LeaseLostError */
  release(lease: Lease): Promise<void>;
  /** Puts a task back, to be fetched after `delay` ms. @throws LeaseLostError */
  postpone(lease: Lease, delay: number): Promise<void>;
  /**
   * Waits until one of `queues` may have work, for at most `timeout` ms. An empty answer means
   * the time is over or `wakeUp` was called. One call at a time.
   */
  waitForWork(queues: readonly string[], timeout: number): Promise<WorkSign[]>;
  /** Ends a running `waitForWork` at once. */
  wakeUp(): void;
  /** Starts the keeper of leases, for at most `capacity` leases at a time. */
  keepLeases(capacity: number): Promise<LeaseKeeper>;
  /** Puts the tasks of lost workers back into `queue`; returns their ids. */
  reclaim(queue: string): Promise<string[]>;
  /**
   * Ends tasks whose `expiresAt` has passed and that no worker holds: removes them and stores
   * the record that `record` makes, together. Returns their ids. `record` answers `undefined`
   * when results are not kept in the broker's store.
   */
  expire(record: (id: string) => ResultRecord | undefined): Promise<string[]>;

  // --- looking and clearing

  /** The names of all queues that were ever published into, sorted. */
  queues(): Promise<string[]>;
  counts(queue: string): Promise<QueueCounts>;
  /** The newest first; `limit` at most. */
  deadLetters(queue: string, limit?: number): Promise<DeadLetter[]>;
  /**
   * Puts a dead letter back into its queue, to be run as if published now. Its redeliveries and
   * postponements begin anew. @returns `false` when there is no such dead letter.
   */
  redrive(queue: string, id: string): Promise<boolean>;
  /** Removes a dead letter. @returns `false` when there is none. */
  discard(queue: string, id: string): Promise<boolean>;
  /** Removes all waiting and delayed tasks; returns how many. */
  purge(queue: string): Promise<number>;
  /** One round trip to the store. */
  ping(): Promise<void>;
  /** Closes every connection; calls still under way are given up after a short while. */
  close(): Promise<void>;
}
