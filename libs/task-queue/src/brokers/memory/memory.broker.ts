// From the module, not the global, which tests with fake timers replace.
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Clock } from '../../clock/index.js';
import { OperationalError, TaskQueueError } from '../../errors/task-queue.errors.js';
import type {
  Broker,
  DeadLetter,
  Fetched,
  Lease,
  LeaseKeeper,
  Outcome,
  OutgoingTask,
  QueueCounts,
  ResultListener,
  ResultRecord,
  ResultStore,
  RevokeAnswer,
  TaskLocation,
  WorkSign,
} from '../broker.port.js';
import type { BroadcastChannel } from './memory-broadcast.bus.js';
import type { ResultChannel } from './memory-result.table.js';
import { MemoryLeaseKeeper } from './memory-lease.keeper.js';
import { MemoryStore } from './memory.store.js';
import { WorkWait } from './work.wait.js';

/** After how many deliveries the event loop gets its turn. */
const TURN_EVERY = 32;

/** What a memory broker is made from. */
export interface MemoryBrokerOptions {
  readonly clock: Clock;
  /** How long a fetched task is leased, milliseconds. */
  readonly leaseDuration: number;
  /** Shared by brokers that shall be several processes on one store. Default: a store of its own. */
  readonly store?: MemoryStore;
}

/**
 * The broker of `memory://`: everything is kept in this process and is gone with it. For tests
 * and for applications of one process.
 */
export class MemoryBroker implements Broker {
  readonly description = 'memory://';
  readonly results: ResultStore;
  readonly #clock: Clock;
  readonly #leaseDuration: number;
  readonly #store: MemoryStore;
  readonly #watched = new Set<string>();
  readonly #channel: ResultChannel;
  readonly #keepers = new Set<MemoryLeaseKeeper>();
  readonly #broadcastChannel: BroadcastChannel;
  #listener: ResultListener | undefined;
  #broadcastListener: ((text: string) => void) | undefined;
  #wait: WorkWait | undefined;
  #deliveries = 0;
  #closed = false;

  constructor(options: MemoryBrokerOptions) {
    this.#clock = options.clock;
    this.#leaseDuration = options.leaseDuration;
    this.#store = options.store ?? new MemoryStore();
    this.#channel = (id, payload) => {
      // Later, as from a real store: the listener never runs inside the call that stored.
      queueMicrotask(() => {
        if (this.#watched.has(id)) {
          this.#listener?.(id, payload);
        }
      });
    };
    this.#broadcastChannel = (text) => {
      queueMicrotask(() => {
        if (!this.#closed) {
          this.#broadcastListener?.(text);
        }
      });
    };
    this.results = this.#makeResults();
  }

  async publish(tasks: readonly OutgoingTask[], retrying = false): Promise<void> {
    this.#open().publish(tasks, retrying, this.#clock.now());
  }

  async watch(id: string): Promise<void> {
    this.#open().results.watch(id, this.#channel);
    this.#watched.add(id);
  }

  async unwatch(id: string): Promise<void> {
    this.#open().results.unwatch(id, this.#channel);
    this.#watched.delete(id);
  }

  onResult(listener: ResultListener): void {
    this.#listener = listener;
  }

  async announce(id: string, payload: string): Promise<void> {
    this.#open().results.announce(id, payload);
  }

  async revoke(
    id: string,
    record: ResultRecord | undefined,
    keepFor: number,
  ): Promise<RevokeAnswer> {
    return this.#open().revoke(id, record, keepFor, this.#clock.now());
  }

  async broadcast(text: string): Promise<void> {
    this.#open().broadcasts.tell(text);
  }

  async onBroadcast(listener: (text: string) => void): Promise<void> {
    this.#open().broadcasts.join(this.#broadcastChannel);
    this.#broadcastListener = listener;
  }

  async locate(id: string): Promise<TaskLocation | undefined> {
    return this.#open().locate(id, this.#clock.now());
  }

  async connect(): Promise<void> {
    this.#open();
  }

  async fetch(queue: string): Promise<Fetched> {
    return this.#deliver(this.#open().fetch(queue, this.#leaseDuration, this.#clock.now()));
  }

  async finish(lease: Lease, outcome: Outcome, fetchNext: boolean): Promise<Fetched> {
    const store = this.#open();
    const now = this.#clock.now();
    store.finish(lease, outcome, now);
    return fetchNext ? this.#deliver(store.fetch(lease.queue, this.#leaseDuration, now)) : {};
  }

  async retry(
    lease: Lease,
    task: OutgoingTask,
    outcome: Pick<Outcome, 'record' | 'announce'>,
  ): Promise<void> {
    this.#open().retry(lease, task, outcome, this.#clock.now());
  }

  async release(lease: Lease): Promise<void> {
    this.#open().release(lease);
  }

  async postpone(lease: Lease, delay: number): Promise<void> {
    this.#open().postpone(lease, delay, this.#clock.now());
  }

  async waitForWork(queues: readonly string[], timeout: number): Promise<WorkSign[]> {
    const store = this.#open();
    if (this.#wait) {
      throw new TaskQueueError(
        'This broker is waiting for work already: await the running waitForWork() or end it with ' +
          'wakeUp() before the next.',
      );
    }
    this.#wait = new WorkWait(store, this.#clock, queues, timeout);
    try {
      return await this.#wait.signs;
    } finally {
      this.#wait = undefined;
    }
  }

  wakeUp(): void {
    this.#wait?.end();
  }

  async keepLeases(capacity: number): Promise<LeaseKeeper> {
    const keeper = new MemoryLeaseKeeper(this.#open(), this.#clock, this.#leaseDuration, capacity);
    this.#keepers.add(keeper);
    return keeper;
  }

  async reclaim(queue: string): Promise<string[]> {
    return this.#open().reclaim(queue, this.#clock.now());
  }

  async expire(record: (id: string) => ResultRecord | undefined): Promise<string[]> {
    return this.#open().expire(record, this.#clock.now());
  }

  async queues(): Promise<string[]> {
    return this.#open().queues();
  }

  async counts(queue: string): Promise<QueueCounts> {
    return this.#open().counts(queue, this.#clock.now());
  }

  async deadLetters(queue: string, limit = Infinity): Promise<DeadLetter[]> {
    return this.#open().deadLetters(queue, limit);
  }

  async redrive(queue: string, id: string): Promise<boolean> {
    return this.#open().redrive(queue, id, this.#clock.now());
  }

  async discard(queue: string, id: string): Promise<boolean> {
    return this.#open().discard(queue, id);
  }

  async purge(queue: string): Promise<number> {
    return this.#open().purge(queue);
  }

  async ping(): Promise<void> {
    this.#open();
  }

  async close(): Promise<void> {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    this.#wait?.end();
    for (const id of this.#watched) {
      this.#store.results.unwatch(id, this.#channel);
    }
    this.#watched.clear();
    this.#store.broadcasts.leave(this.#broadcastChannel);
    await Promise.all([...this.#keepers].map((keeper) => keeper.close()));
  }

  #open(): MemoryStore {
    if (this.#closed) {
      throw new OperationalError(
        'The memory broker was closed: make a new broker on the same store to go on using it.',
      );
    }
    return this.#store;
  }

  /**
   * Lets the event loop turn now and then. Without it a worker with short tasks would run through
   * microtasks only, and timers and sockets would wait until the queue is empty.
   */
  async #deliver(fetched: Fetched): Promise<Fetched> {
    if (fetched.delivery && ++this.#deliveries % TURN_EVERY === 0) {
      await nextTurn();
    }
    return fetched;
  }

  #makeResults(): ResultStore {
    const table = () => this.#open().results;
    const now = () => this.#clock.now();
    return {
      put: async (record) => table().put(record, now()),
      get: async (id) => table().get(id, now()),
      getMany: async (ids) => {
        const results = table();
        return ids.map((id) => results.get(id, now()));
      },
      remove: async (id) => table().remove(id),
      putGroup: async (id, payload, ttl) => table().putGroup(id, payload, ttl, now()),
      getGroup: async (id) => table().getGroup(id, now()),
      removeGroup: async (id) => table().removeGroup(id),
    };
  }
}
