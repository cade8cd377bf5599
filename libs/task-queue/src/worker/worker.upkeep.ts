import type { BrokerLogger } from '../brokers/broker-options.interface.js';
import type { Broker, ResultRecord } from '../brokers/broker.port.js';
import type { Clock, Timer } from '../clock/index.js';

/** How often expired tasks are ended, milliseconds. */
const EXPIRE_INTERVAL = 1000;

export interface WorkerUpkeepDeps {
  readonly broker: Broker;
  readonly queues: readonly string[];
  readonly clock: Clock;
  readonly logger: BrokerLogger;
  /** `broker_lease_check_interval`, milliseconds. */
  readonly checkInterval: number;
  /** Makes the REVOKED record of an expired task; `undefined`: not kept in the broker's store. */
  expiredRecord(id: string): ResultRecord | undefined;
  /** Called with an expired task that was ended; again in the next round when it rejects. */
  onExpired(id: string): Promise<void>;
  /** Called when tasks came back into a queue. */
  onReclaimed(queue: string): void;
}

/** What every worker does for the others: takes back tasks of lost workers, ends expired ones. */
export class WorkerUpkeep {
  private timers: Timer[] = [];
  private stopped = false;
  /** Expired tasks that the store has given up, and that `onExpired` has not had. */
  private readonly expired: string[] = [];

  constructor(private readonly deps: WorkerUpkeepDeps) {}

  start(): void {
    this.repeat(this.deps.checkInterval, () => this.reclaim());
    this.repeat(EXPIRE_INTERVAL, () => this.expire());
  }

  stop(): void {
    this.stopped = true;
    this.timers.forEach((timer) => timer.clear());
  }

  private async reclaim(): Promise<void> {
    for (const queue of this.deps.queues) {
      const ids = await this.deps.broker.reclaim(queue);
      if (ids.length > 0) {
        this.deps.logger.warn(
          `Restoring ${ids.length} unacknowledged message(s) of lost workers in queue '${queue}'`,
        );
        this.deps.onReclaimed(queue);
      }
    }
  }

  private async expire(): Promise<void> {
    const ids = await this.deps.broker.expire((task) => this.deps.expiredRecord(task));
    this.expired.push(...ids);
    for (let id = this.expired[0]; id !== undefined; id = this.expired[0]) {
      await this.deps.onExpired(id);
      this.expired.shift();
    }
  }

  /** One round after another, never two at a time. A round that fails is made up by the next. */
  private repeat(interval: number, round: () => Promise<void>): void {
    const arm = (): void => {
      if (this.stopped) {
        return;
      }
      const timer = this.deps.clock.setTimer(
        interval,
        () => {
          this.timers = this.timers.filter((other) => other !== timer);
          round()
            .catch((error: unknown) => {
              const reason = error instanceof Error ? error.message : String(error);
              this.deps.logger.debug(`Upkeep is made up for later: ${reason}`);
            })
            .finally(arm);
        },
        true,
      );
      this.timers.push(timer);
    };
    arm();
  }
}
