import type { BrokerLogger } from '../brokers/broker-options.interface.js';
import type {
  Broker,
  Delivery,
  Fetched,
  Lease,
  LeaseKeeper,
  OutgoingTask,
} from '../brokers/broker.port.js';
import type { Clock, Timer } from '../clock/index.js';
import { LeaseLostError } from '../errors/task-queue.errors.js';
import { DueTimers } from './due-timers.js';
import type { DeliveryHandler, Ending } from './ending.interface.js';
import { Pauses } from './pauses.js';
import { QueueShare } from './queue-share.js';
import { pauseAfter, StoreWatch } from './store-watch.js';

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
  /** Whether a task may be handed back in a cold stop. Default: always. */
  readonly mayHandBack?: (lease: Lease) => boolean;
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
  private readonly due: DueTimers;
  private readonly idleListeners: (() => void)[] = [];
  private readonly pauses: Pauses;
  private retryTimer: Timer | undefined;
  private busy = 0;
  private fetching = 0;
  private finishing = 0;
  private waiting = false;
  /** A slot gave up its queue's next task: the queues found empty are looked at again first. */
  private lookAround = false;
  private handedBack = 0;
  private state: 'new' | 'running' | 'draining' | 'abandoned' = 'new';

  constructor(private readonly deps: TaskPumpDeps) {
    this.share = new QueueShare(deps.queues, () => deps.clock.now());
    this.store = new StoreWatch(deps.broker.description, deps.logger);
    this.pauses = new Pauses(deps.clock);
    this.due = new DueTimers(deps.clock, (queue) => this.nudge(queue));
  }

  /** How many tasks are held. */
  get running(): number {
    return this.held.size;
  }

  /** The tasks held now. */
  get deliveries(): readonly Delivery[] {
    return [...this.held.values()];
  }

  /** Begins to take tasks. A no-op once the pump was started or stopped. */
  start(): void {
    if (this.state === 'new') {
      this.state = 'running';
      this.fill();
    }
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
      await this.idle();
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
    this.pauses.endAll();
    this.deps.broker.wakeUp();
    const deliveries = this.deliveries;
    this.held.clear();
    const handBacks = deliveries.map(({ lease }) => {
      this.deps.leases.remove(lease);
      return this.deps.mayHandBack?.(lease) === false ? undefined : this.handBack(lease);
    });
    // What a fetch or a finish under way brings is handed back when it comes.
    const fetched = this.isIdle ? undefined : this.idle();
    await Promise.race([Promise.all([...handBacks, fetched]), this.pauses.of(HAND_BACK_DEADLINE)]);
    this.pauses.endAll();
    this.tellIdle();
    return this.handedBack;
  }

  private get isRunning(): boolean {
    return this.state === 'running';
  }

  private get isAbandoned(): boolean {
    return this.state === 'abandoned';
  }

  /** Nothing is held that this pump still answers for. */
  private get isIdle(): boolean {
    return this.fetching === 0 && (this.isAbandoned ? this.finishing : this.busy) === 0;
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
      const queue = this.share.next((this.busy > 0 || this.lookAround) && !this.waiting);
      if (queue === undefined) {
        break;
      }
      void this.fetch(queue);
    }
    if (this.freeSlots > 0 && this.fetching === 0 && !this.waiting) {
      this.lookAround = false;
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
    if (fetched.delivery && this.isAbandoned) {
      await this.handBack(fetched.delivery.lease);
    }
    this.fetching -= 1;
    this.noteDue(queue, fetched.nextDueAt);
    if (fetched.delivery && !this.isAbandoned) {
      this.lookAround = false;
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
    // With work at hand nobody waits for a sign of it: without a look at the others this queue
    // would have the slot for ever.
    this.lookAround ||= this.share.anyReady;
    this.fill();
    this.checkIdle();
  }

  private async runOne(
    queue: string,
    delivery: Delivery,
    inARow: number,
  ): Promise<Delivery | undefined> {
    const { lease } = delivery;
    if (this.isAbandoned) {
      await this.handBack(lease);
      return undefined;
    }
    const key = keyOf(lease);
    this.deps.leases.add(lease);
    this.held.set(key, delivery);
    const ending: Ending = this.isRunning ? await this.deps.handle(delivery) : { kind: 'release' };
    try {
      return await this.end(queue, lease, ending, inARow);
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
    for (let attempt = 1; !this.isAbandoned; attempt += 1) {
      try {
        const next = await this.endOnce(queue, lease, ending, inARow);
        this.storeAnswered();
        this.reportRecorded(ending);
        return next;
      } catch (error) {
        if (error instanceof LeaseLostError) {
          // A refusal is an answer, too.
          this.storeAnswered();
          this.reportLost(error, attempt);
          return undefined;
        }
        this.storeFailed(error);
      }
      if (!this.isAbandoned) {
        await this.pauses.of(pauseAfter(attempt));
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
    if (ending.kind === 'retry') {
      await broker.retry(lease, ending.task, ending.outcome);
      this.noteRetry(ending.task);
      return undefined;
    }
    if (ending.kind !== 'finish') {
      await (ending.kind === 'release'
        ? broker.release(lease)
        : broker.postpone(lease, ending.delay));
      return undefined;
    }
    const fetchNext = this.isRunning && this.share.mayStay(inARow);
    this.finishing += 1;
    try {
      const { delivery, nextDueAt } = await broker.finish(lease, ending.outcome, fetchNext);
      if (delivery && this.isAbandoned) {
        await this.handBack(delivery.lease);
        return undefined;
      }
      if (fetchNext) {
        this.noteDue(queue, nextDueAt);
        if (!delivery) {
          this.share.foundEmpty(queue);
        }
      }
      return delivery;
    } finally {
      this.finishing -= 1;
      this.checkIdle();
    }
  }

  private reportRecorded(ending: Ending): void {
    try {
      if (ending.kind === 'finish' || ending.kind === 'retry') {
        ending.recorded?.();
      }
    } catch (error) {
      // The outcome stands, whatever the log makes of it.
      this.deps.logger.warn(`The outcome of a task could not be logged: ${String(error)}`);
    }
  }

  private reportLost(error: LeaseLostError, attempt: number): void {
    if (!this.isAbandoned) {
      this.deps.logger.warn(
        attempt === 1
          ? error.message
          : `${error.message} The connection broke while the outcome was on its way: it may ` +
              'have been recorded before.',
      );
    }
  }

  /** Puts a task back for another worker, as far as that is possible. */
  private async handBack(lease: Lease): Promise<void> {
    try {
      await this.deps.broker.release(lease);
      this.handedBack += 1;
    } catch {
      // The store is away or the lease is over: the task is reclaimed when the lease ends.
    }
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
    if (at !== undefined && this.isRunning) {
      this.due.note(queue, at);
    }
  }

  /** A task of this worker's queues that runs again needs no other sign of work. */
  private noteRetry({ dueAt, queue }: OutgoingTask): void {
    if (dueAt === undefined) {
      this.share.markReady(queue);
    } else if (this.share.names.includes(queue)) {
      this.noteDue(queue, dueAt);
    }
  }

  private storeFailed(error: unknown): void {
    this.store.failed(error);
    if (this.isRunning && !this.retryTimer) {
      this.retryTimer = this.deps.clock.setTimer(this.store.nextPause(), () => this.retry());
    }
  }

  /** The store answered a slot that may keep running: the others must not miss it. */
  private storeAnswered(): void {
    if (this.store.answered()) {
      this.share.markReady();
      this.fill();
    }
  }

  private retry(): void {
    this.retryTimer = undefined;
    this.share.markReady();
    if (this.isRunning && this.store.isAway && !this.waiting) {
      // One wait probes the store; the rest follows when it answers.
      void this.waitForWork();
    } else {
      this.fill();
    }
  }

  private idle(): Promise<void> {
    return new Promise((resolve) => this.idleListeners.push(resolve));
  }

  private checkIdle(): void {
    if (!this.isRunning && this.isIdle) {
      this.tellIdle();
    }
  }

  private tellIdle(): void {
    this.idleListeners.splice(0).forEach((resolve) => resolve());
  }

  private clearTimers(): void {
    this.due.clear();
    this.retryTimer?.clear();
    this.retryTimer = undefined;
  }
}

function keyOf(lease: Lease): string {
  return `${lease.token} ${lease.id}`;
}
