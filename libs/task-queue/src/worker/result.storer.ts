import type { Broker, ResultRecord } from '../brokers/broker.port.js';
import type { Clock } from '../clock/index.js';
import type { RecordedRequest, ResultBackend } from '../results/index.js';
import { Pauses } from './pauses.js';
import type { RunningTasks } from './running.tasks.js';
import type { TaskLog } from './task.log.js';

export interface ResultStorerDeps {
  readonly backend: ResultBackend;
  readonly broker: Pick<Broker, 'announce'>;
  readonly clock: Clock;
  readonly log: TaskLog;
}

/** Pauses between attempts to store a result elsewhere, milliseconds. */
const STORE_PAUSES = [50, 200, 1000, 5000] as const;

/** Stores what is not stored in one step with the end of a task. */
export class ResultStorer {
  private readonly pauses: Pauses;

  constructor(
    private readonly deps: ResultStorerDeps,
    private readonly running: RunningTasks,
  ) {
    this.pauses = new Pauses(deps.clock);
  }

  /** Whether the broker stores results in the step that ends a task. */
  get inBroker(): boolean {
    return this.deps.backend.inBroker;
  }

  /** Stores a state on the way, and tells who waits. */
  async state(record: ResultRecord): Promise<void> {
    const { backend, broker } = this.deps;
    const stored = await backend.store(record);
    if (stored && !backend.inBroker) {
      await broker.announce(record.id, record.payload);
    }
  }

  /**
   * Stores an outcome elsewhere. A task is acknowledged only when its result is stored: tried
   * until that succeeds, or until the task is not this worker's any more; then the broker refuses
   * the acknowledgement.
   */
  async outcome(request: RecordedRequest, record: ResultRecord): Promise<void> {
    for (let attempt = 0; !this.running.isHandedOn(request); attempt += 1) {
      try {
        await this.deps.backend.store(record);
        return;
      } catch (error) {
        const pause = STORE_PAUSES[Math.min(attempt, STORE_PAUSES.length - 1)]!;
        this.deps.log.warn(
          `The result of ${record.id} could not be stored, trying again: ${String(error)}`,
        );
        await this.pauses.of(pause);
      }
    }
  }

  /** Stores a state elsewhere that the broker will announce. What fails is only logged. */
  async passing(request: RecordedRequest, record: ResultRecord): Promise<void> {
    if (!this.running.mayStore(request)) {
      return;
    }
    try {
      await this.deps.backend.store(record);
    } catch (error) {
      this.deps.log.warn(
        `The state ${record.status} of ${record.id} could not be stored: ${String(error)}`,
      );
    }
  }

  /** Ends the pauses of what is being tried again. */
  giveUp(): void {
    this.pauses.endAll();
  }
}
