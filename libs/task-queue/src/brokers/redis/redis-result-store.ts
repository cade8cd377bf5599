import type { ResultRecord, ResultStore } from '../broker.port.js';
import type { RedisClient } from './redis-clients.js';
import type { RedisKeys } from './redis-keys.js';

export interface RedisResultStoreDeps {
  readonly keys: RedisKeys;
  /** Whether the results are in the database that the connection is on. */
  readonly inHomeDb: boolean;
  /** Runs a command on a connection that can be used now. */
  run<T>(doing: string, command: (client: RedisClient) => Promise<T>): Promise<T>;
}

/** How many keys one command reads: a bound on how long it holds the store. */
const READ_CHUNK = 500;

/** Results under Celery's keys, readable by Celery's own tools. */
export class RedisResultStore implements ResultStore {
  constructor(private readonly deps: RedisResultStoreDeps) {}

  async put(record: ResultRecord): Promise<boolean> {
    const stored = await this.deps.run('Storing a result', (client) =>
      client.celeryRecord(
        1,
        this.deps.keys.meta(record.id),
        record.id,
        record.status,
        record.payload,
        record.ttl ?? '',
      ),
    );
    return stored === 1;
  }

  async get(id: string): Promise<string | undefined> {
    return (await this.read([this.deps.keys.meta(id)]))[0];
  }

  async getMany(ids: readonly string[]): Promise<(string | undefined)[]> {
    const found: (string | undefined)[] = [];
    for (let from = 0; from < ids.length; from += READ_CHUNK) {
      const chunk = ids.slice(from, from + READ_CHUNK).map((id) => this.deps.keys.meta(id));
      found.push(...(await this.read(chunk)));
    }
    return found;
  }

  async remove(id: string): Promise<void> {
    await this.delete(this.deps.keys.meta(id));
  }

  async putGroup(id: string, payload: string, ttl: number | null): Promise<void> {
    await this.deps.run('Storing a group', (client) =>
      client.celeryWrite(1, this.deps.keys.group(id), payload, ttl ?? ''),
    );
  }

  async getGroup(id: string): Promise<string | undefined> {
    return (await this.read([this.deps.keys.group(id)]))[0];
  }

  async removeGroup(id: string): Promise<void> {
    await this.delete(this.deps.keys.group(id));
  }

  private async read(keys: string[]): Promise<(string | undefined)[]> {
    const texts = await this.deps.run('Reading a result', (client) =>
      this.deps.inHomeDb
        ? client.mget(...keys)
        : (client.celeryRead(keys.length, ...keys) as Promise<(string | null)[]>),
    );
    return texts.map((text) => text ?? undefined);
  }

  private async delete(key: string): Promise<void> {
    await this.deps.run('Removing a result', (client) => client.celeryDelete(1, key));
  }
}
