import type { Broker } from '../../../libs/task-queue/src/brokers/broker.port.js';

export interface OpenOptions {
  /** How long a fetched task is leased, milliseconds. Default 30,000. */
  readonly leaseDurationMs?: number;
  /** Brokers of different groups share nothing. Default: one group for all. */
  readonly group?: string;
}

/** What a driver gives to the conformance suite. */
export interface BrokerHarness {
  /** A broker on the harness's store: each further one is a further process. */
  open(options?: OpenOptions): Promise<Broker>;
  /** Empties the store. Called when no broker is open. */
  reset(): Promise<void>;
  /** Lets `ms` milliseconds pass: of a manual clock, or really. */
  elapse(ms: number): Promise<void>;
  /** The time the brokers see. */
  now(): number;
  /**
   * For a driver with a server: a broker whose server is not there, with a `connectionTimeout` of
   * 500 ms and with the password `hush-hush` in its URL.
   */
  openUnreachable?(): Broker;
  /** Ends the harness. */
  close(): Promise<void>;
}
