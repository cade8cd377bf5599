import type { BrokerLogger } from '../brokers/broker-options.interface.js';

const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 5000;

/**
 * Knows whether the store answers: says so in the log once when it stops and once when it is
 * back, and how long to wait before the next attempt.
 */
export class StoreWatch {
  private failures = 0;

  constructor(
    private readonly description: string,
    private readonly logger: BrokerLogger,
  ) {}

  get isAway(): boolean {
    return this.failures > 0;
  }

  /** @returns How long to pause before the next attempt, milliseconds. */
  failed(error: unknown): number {
    if (this.failures === 0) {
      const reason = error instanceof Error ? error.message : String(error);
      this.logger.warn(
        `consumer: Connection to broker lost. Trying to re-establish the connection... ${reason}`,
      );
    }
    this.failures += 1;
    return Math.min(FIRST_PAUSE * 2 ** (this.failures - 1), LONGEST_PAUSE);
  }

  answered(): void {
    if (this.failures > 0) {
      this.failures = 0;
      this.logger.log(`Connected to ${this.description}`);
    }
  }
}
