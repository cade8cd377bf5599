import type { BrokerLogger } from '../brokers/broker-options.interface.js';
import type { Broker, Delivery, Fetched, Lease, LeaseKeeper } from '../brokers/broker.port.js';
import type { Clock, Timer } from '../clock/index.js';
import { LeaseLostError } from '../errors/task-queue.errors.js';
import type { DeliveryHandler, Ending } from './ending.interface.js';
import { QueueShare } from './queue-share.js';
import { StoreWatch } from './store-watch.js';

/** How long one wait for work lasts; after it every queue is looked at, milliseconds. */
const WAIT = 5000;

/** How long a cold stop tries to hand tasks back, milliseconds. */
const HAND_BACK_DEADLINE = 3000;

export interface TaskPumpDeps {
  readonly broker: Broker;
  readonly queues: readonly string[];
  /** How many tasks run at a time, over all queues. */
  readonly concurrency: number;
  readonly handle: DeliveryHandler;
  readonly leases: LeaseKeeper;
  readonly clock: Clock;
  readonly logger: BrokerLogger;
}

/**
 * The consumer: many queues, one budget of slots. A slot that ends a task takes the next one of
 * the same queue in the same step, unless another queue is due; free slots wait for a sign of
 * work from all queues together. When the store is away it waits, and goes on by itself.
 */
export class TaskPump {
  private readonly share: QueueShare;
  private readonly store: StoreWatch;
  private readonly held = new Map<string, Delivery>();
  private readonly dueTimers = new Map<string, { at: number; timer: Timer }>();
  private readonly idleListeners: (() => void)[] = [];
  private busy = 0;
  private fetching = 0;
  private waiting = false;
  private retryPlanned = false;
  private state: 'new' | 'running' | 'draining' | 'abandoned' = 'new';

  constructor(private readonly deps: TaskPumpDeps) {
    this.share = new QueueShare(deps.queues, () => deps.clock.now());
    this.store = new StoreWatch(deps.broker.description, deps.logger);
  }

  /** How many tasks are held. */
  get running(): number {
    return this.held.size;
  }

  /** The tasks held now. */
  get deliveries(): readonly Delivery[] {
    return [...this.held.values()];
  }

  start(): void {
    this.state = 'running';
    this.fill();
  }

  /** Work may be waiting in `queue`. */
  nudge(queue: string): void {
    this.share.markReady(queue);
    this.fill();
  }

  /** Warm: takes no more tasks and resolves when those that run have ended. */
  async drain(): Promise<void> {
    if (this.state === 'running' || this.state === 'new') {
      this.state = 'draining';
      this.clearTimers();
      this.deps.broker.wakeUp();
    }
    if (this.state === 'draining' && !this.isIdle) {
      await new Promise<void>((resolve) => this.idleListeners.push(resolve));
    }
  }

  /**
   * Cold: hands every task back at once, to be run again by another worker. What the tasks do
   * from here on is not recorded. @returns How many were handed back.
   */
  async abandon(): Promise<number> {
    if (this.state === 'abandoned') {
      return 0;
    }
    this.state = 'abandoned';
    this.clearTimers();
    this.deps.broker.wakeUp();
    const deliveries = this.deliveries;
    this.held.clear();
    let handedBack = 0;
    const handBacks = deliveries.map(async ({ lease }) => {
      this.deps.leases.remove(lease);
      try {
        await this.deps.broker.release(lease);
        handedBack += 1;
      } catch {
        // The store is away or the lease is over: the task is reclaimed when the lease ends.
      }
    });
    await Promise.race([Promise.all(handBacks), this.pause(HAND_BACK_DEADLINE)]);
    this.idleListeners.splice(0).forEach((resolve) => resolve());
    return handedBack;
  }

  private get isRunning(): boolean {
    return this.state === 'running';
  }

  private get isIdle(): boolean {
    return this.busy === 0 && this.fetching === 0;
  }

  private get freeSlots(): number {
    return this.deps.concurrency - this.busy - this.fetching;
  }

  /** Gives free slots to queues that may have work; waits for a sign when none has. */
  private fill(): void {
    if (!this.isRunning || this.store.isAway) {
      return;
    }
    while (this.freeSlots > 0) {
      const queue = this.share.next(this.busy > 0 && !this.waiting);
      if (queue === undefined) {
        break;
      }
      void this.fetch(queue);
    }
    if (this.freeSlots > 0 && this.fetching === 0 && !this.waiting) {
      void this.waitForWork();
    }
  }

  private async fetch(queue: string): Promise<void> {
    this.fetching += 1;
    this.share.fetchStarted(queue);
    let fetched: Fetched;
    try {
      fetched = await this.deps.broker.fetch(queue);
      this.store.answered();
    } catch (error) {
      this.share.fetchFailed(queue);
      this.fetching -= 1;
      this.storeFailed(error);
      this.checkIdle();
      return;
    }
    this.fetching -= 1;
    this.noteDue(queue, fetched.nextDueAt);
    if (fetched.delivery && this.state === 'abandoned') {
      // Came too late for this worker; when even this fails, it is reclaimed.
      void this.deps.broker.release(fetched.delivery.lease).catch(() => undefined);
    } else if (fetched.delivery) {
      this.share.fetchFound(queue);
      void this.runSlot(queue, fetched.delivery);
    } else {
      this.share.fetchEmpty(queue);
    }
    this.fill();
    this.checkIdle();
  }

  /** Runs one task after another until the queue has no more, or another queue is due. */
  private async runSlot(queue: string, first: Delivery): Promise<void> {
    this.busy += 1;
    let delivery: Delivery | undefined = first;
    for (let inARow = 1; delivery; inARow += 1) {
      delivery = await this.runOne(queue, delivery, inARow);
    }
    this.busy -= 1;
    this.share.slotEnded(queue);
    this.fill();
    this.checkIdle();
  }

  private async runOne(
    queue: string,
    delivery: Delivery,
    inARow: number,
  ): Promise<Delivery | undefined> {
    const { lease } = delivery;
    const key = keyOf(lease);
    this.deps.leases.add(lease);
    this.held.set(key, delivery);
    const ending: Ending = this.isRunning ? await this.deps.handle(delivery) : { kind: 'release' };
    try {
      return this.state === 'abandoned' ? undefined : await this.end(queue, lease, ending, inARow);
    } finally {
      this.deps.leases.remove(lease);
      this.held.delete(key);
    }
  }

  /** Carries out an ending; tries again while the store is away, until a cold stop. */
  private async end(
    queue: string,
    lease: Lease,
    ending: Ending,
    inARow: number,
  ): Promise<Delivery | undefined> {
    for (let attempt = 1; this.state !== 'abandoned'; attempt += 1) {
      try {
        const next = await this.endOnce(queue, lease, ending, inARow);
        this.store.answered();
        if (ending.kind === 'finish') {
          ending.recorded?.();
        }
        return next;
      } catch (error) {
        if (error instanceof LeaseLostError) {
          // A refusal is an answer, too.
          this.store.answered();
          this.deps.logger.warn(
            attempt === 1
              ? error.message
              : `${error.message} The connection broke while the outcome was on its way: it may ` +
                  'have been recorded before.',
          );
          return undefined;
        }
        await this.pause(this.storeFailed(error));
      }
    }
    return undefined;
  }

  private async endOnce(
    queue: string,
    lease: Lease,
    ending: Ending,
    inARow: number,
  ): Promise<Delivery | undefined> {
    const { broker } = this.deps;
    if (ending.kind !== 'finish') {
      await (ending.kind === 'release'
        ? broker.release(lease)
        : broker.postpone(lease, ending.delay));
      return undefined;
    }
    const fetchNext = this.isRunning && this.share.mayStay(queue, inARow);
    const { delivery, nextDueAt } = await broker.finish(lease, ending.outcome, fetchNext);
    if (fetchNext) {
      this.noteDue(queue, nextDueAt);
      if (!delivery) {
        this.share.foundEmpty(queue);
      }
    }
    return delivery;
  }

  private async waitForWork(): Promise<void> {
    this.waiting = true;
    try {
      const signs = await this.deps.broker.waitForWork(this.share.names, WAIT);
      this.store.answered();
      for (const { queue, dueAt } of signs) {
        if (dueAt !== undefined && dueAt > this.deps.clock.now()) {
          this.noteDue(queue, dueAt);
        } else {
          this.share.markReady(queue);
        }
      }
      if (signs.length === 0) {
        this.share.markReady();
      }
    } catch (error) {
      this.storeFailed(error);
    } finally {
      this.waiting = false;
    }
    this.fill();
  }

  /** Looks at `queue` again when its next delayed task is due. */
  private noteDue(queue: string, at: number | undefined): void {
    const planned = this.dueTimers.get(queue);
    if (at === undefined || !this.isRunning || (planned && planned.at <= at)) {
      return;
    }
    planned?.timer.clear();
    const timer = this.deps.clock.setTimer(at - this.deps.clock.now(), () => {
      this.dueTimers.delete(queue);
      this.nudge(queue);
    });
    this.dueTimers.set(queue, { at, timer });
  }

  /** @returns How long to pause before the next attempt, milliseconds. */
  private storeFailed(error: unknown): number {
    const pause = this.store.failed(error);
    if (this.isRunning && !this.retryPlanned) {
      this.planRetry(pause);
    }
    return pause;
  }

  private planRetry(pause: number): void {
    this.retryPlanned = true;
    this.deps.clock.setTimer(pause, () => {
      this.retryPlanned = false;
      this.share.markReady();
      if (this.isRunning && this.store.isAway && !this.waiting) {
        // One wait probes the store; the rest follows when it answers.
        void this.waitForWork();
      } else {
        this.fill();
      }
    });
  }

  private checkIdle(): void {
    if (this.state === 'draining' && this.isIdle) {
      this.idleListeners.splice(0).forEach((resolve) => resolve());
    }
  }

  private clearTimers(): void {
    this.dueTimers.forEach(({ timer }) => timer.clear());
    this.dueTimers.clear();
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.deps.clock.setTimer(ms, resolve);
    });
  }
}

function keyOf(lease: Lease): string {
  return `${lease.token} ${lease.id}`;
}
