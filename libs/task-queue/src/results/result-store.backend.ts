import type { ResultRecord, ResultStore } from '../brokers/broker.port.js';
import type { ResultBackend } from './result-backend.port.js';

/** What the backends over a `ResultStore` have in common. */
export abstract class ResultStoreBackend implements ResultBackend {
  abstract readonly description: string;
  abstract readonly inBroker: boolean;

  constructor(private readonly results: ResultStore) {}

  store(record: ResultRecord): Promise<boolean> {
    return this.results.put(record);
  }

  get(id: string): Promise<string | undefined> {
    return this.results.get(id);
  }

  getMany(ids: readonly string[]): Promise<(string | undefined)[]> {
    return ids.length === 0 ? Promise.resolve([]) : this.results.getMany(ids);
  }

  forget(id: string): Promise<void> {
    return this.results.remove(id);
  }

  saveGroup(id: string, payload: string, ttl: number | null): Promise<void> {
    return this.results.putGroup(id, payload, ttl);
  }

  restoreGroup(id: string): Promise<string | undefined> {
    return this.results.getGroup(id);
  }

  deleteGroup(id: string): Promise<void> {
    return this.results.removeGroup(id);
  }

  abstract close(): Promise<void>;
}
