import type { BrokerLogger } from '../brokers/broker-options.interface.js';

const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 5000;

/** How long to pause after so many failed attempts in a row, milliseconds: 200, 400, ... 5000. */
export function pauseAfter(attempts: number): number {
  return Math.min(FIRST_PAUSE * 2 ** (attempts - 1), LONGEST_PAUSE);
}

/**
 * Knows whether the store answers: says so in the log once when it stops and once when it is
 * back, and how long to wait before the next attempt.
 */
export class StoreWatch {
  private away = false;
  private pauses = 0;

  constructor(
    private readonly description: string,
    private readonly logger: BrokerLogger,
  ) {}

  get isAway(): boolean {
    return this.away;
  }

  /** However many calls fail at once, it is one outage. */
  failed(error: unknown): void {
    if (!this.away) {
      this.away = true;
      const reason = error instanceof Error ? error.message : String(error);
      this.logger.warn(
        `consumer: Connection to broker lost. Trying to re-establish the connection... ${reason}`,
      );
    }
  }

  /** How long to wait before the store is probed again, milliseconds; longer each time. */
  nextPause(): number {
    this.pauses += 1;
    return pauseAfter(this.pauses);
  }

  /** @returns Whether the store was away until now. */
  answered(): boolean {
    const wasAway = this.away;
    this.away = false;
    this.pauses = 0;
    if (wasAway) {
      this.logger.log(`Connected to ${this.description}`);
    }
    return wasAway;
  }
}
