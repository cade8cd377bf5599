import type { Clock } from '../clock/index.js';

/** What a driver says to the log. Nest's `Logger` fits. */
export interface BrokerLogger {
  debug(message: string): void;
  log(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What a driver is made from. */
export interface BrokerOptions {
  /** The broker's URL, password included. Never to be logged. */
  readonly url: string;
  /** How long a fetched task is leased, milliseconds. */
  readonly leaseDuration: number;
  /** How long a producer's call may wait for a connection, milliseconds. */
  readonly connectionTimeout: number;
  readonly clock: Clock;
  readonly logger: BrokerLogger;
  /** `broker_transport_options`. */
  readonly transportOptions: Readonly<Record<string, unknown>>;
  /** `broker_use_ssl`: `true`, or Node's TLS options. */
  readonly ssl?: unknown;
  /** `result_backend`, when the driver of the broker may also be the store of the results. */
  readonly resultBackendUrl?: string;
  /** `result_backend_transport_options`. */
  readonly resultTransportOptions?: Readonly<Record<string, unknown>>;
}
