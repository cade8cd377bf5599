import type { Broker } from '../brokers/broker.port.js';
import { ResultStoreBackend } from './result-store.backend.js';

/**
 * Keeps the results in the broker's own store: the default. A task's outcome is then stored
 * together with its acknowledgement.
 */
export class BrokerStoreBackend extends ResultStoreBackend {
  readonly inBroker = true;
  readonly description: string;

  constructor(broker: Pick<Broker, 'description' | 'results'>) {
    super(broker.results);
    this.description = broker.description;
  }

  /** The broker is closed by who opened it. */
  async close(): Promise<void> {}
}
