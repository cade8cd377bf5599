import type { Clock, Timer } from '../../clock/index.js';
import { OperationalError, TaskQueueError } from '../../errors/task-queue.errors.js';
import type { Lease, LeaseKeeper } from '../broker.port.js';
import type { MemoryStore } from './memory.store.js';

/**
 * Renews leases every third of their duration. It needs no thread: nothing can be reclaimed
 * while the event loop is blocked, and `reclaim` renews the kept leases first.
 */
export class MemoryLeaseKeeper implements LeaseKeeper {
  readonly #leases = new Map<string, Lease>();
  readonly #stopRenewals: () => void;
  #listener: ((lease: Lease) => void) | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(
    private readonly store: MemoryStore,
    private readonly clock: Clock,
    private readonly leaseDuration: number,
    private readonly capacity: number,
  ) {
    this.#stopRenewals = store.onReclaim(() => this.#renew());
  }

  add(lease: Lease): void {
    if (this.#closed) {
      throw new OperationalError(
        'The keeper of leases was closed: call keepLeases() for a new one before adding a lease.',
      );
    }
    if (!this.#leases.has(lease.token) && this.#leases.size >= this.capacity) {
      throw new TaskQueueError(
        `The keeper of leases is full with ${this.capacity} leases: remove a lease before adding ` +
          'the next, or give keepLeases() a greater capacity.',
      );
    }
    this.#leases.set(lease.token, lease);
    this.#arm();
  }

  remove(lease: Lease): void {
    this.#leases.delete(lease.token);
    this.#disarmWhenEmpty();
  }

  onLost(listener: (lease: Lease) => void): void {
    this.#listener = listener;
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#leases.clear();
    this.#disarmWhenEmpty();
    this.#stopRenewals();
    return Promise.resolve();
  }

  #arm(): void {
    this.#timer ??= this.clock.setTimer(
      this.leaseDuration / 3,
      () => {
        this.#timer = undefined;
        this.#renew();
        if (this.#leases.size > 0) {
          this.#arm();
        }
      },
      true,
    );
  }

  #disarmWhenEmpty(): void {
    if (this.#leases.size === 0) {
      this.#timer?.clear();
      this.#timer = undefined;
    }
  }

  #renew(): void {
    const now = this.clock.now();
    for (const lease of this.#leases.values()) {
      if (!this.store.renew(lease, this.leaseDuration, now)) {
        this.#leases.delete(lease.token);
        this.#listener?.(lease);
      }
    }
    this.#disarmWhenEmpty();
  }
}
