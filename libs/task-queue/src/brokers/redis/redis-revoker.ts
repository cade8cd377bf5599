import type { Clock } from '../../clock/index.js';
import type { ResultRecord, RevokeAnswer } from '../broker.port.js';
import type { BullQueues } from './bull-queue.js';
import type { RedisConnections } from './redis-connections.js';
import type { RedisInspector } from './redis-inspector.js';
import type { RedisKeys } from './redis-keys.js';
import type { RedisResultStore } from './redis-result-store.js';
import { BULL_KEYS } from './scripts/index.js';

export interface RedisRevokerDeps {
  readonly connections: RedisConnections;
  readonly queues: BullQueues;
  readonly keys: RedisKeys;
  readonly clock: Clock;
  readonly inspector: RedisInspector;
  readonly results: RedisResultStore;
}

/** Revokes tasks, wherever they are. */
export class RedisRevoker {
  constructor(private readonly deps: RedisRevokerDeps) {}

  async revoke(
    id: string,
    record: ResultRecord | undefined,
    keepFor: number,
  ): Promise<RevokeAnswer> {
    const until = this.deps.clock.now() + keepFor;
    const place = await this.deps.inspector.locate(id);
    const answer = place ? await this.revokeIn(place.queue, id, record, until) : 0;
    if (answer === 1) {
      return 'ended';
    }
    if (answer === 2) {
      return 'active';
    }
    // Not in the store, or gone meanwhile: remembered for who publishes it later.
    await this.deps.connections.run('Revoking', async (client) => {
      await client.zadd(this.deps.keys.revoked, until, id);
      await client.set(this.deps.keys.flags, 1);
    });
    if (record) {
      await this.deps.results.put(record);
    }
    return 'unknown';
  }

  /** Forgets marks whose time is over. */
  async forgetOld(): Promise<void> {
    await this.deps.connections.run('Forgetting revoked tasks', (client) =>
      client.zremrangebyscore(this.deps.keys.revoked, '-inf', this.deps.clock.now()),
    );
  }

  private revokeIn(
    queue: string,
    id: string,
    record: ResultRecord | undefined,
    until: number,
  ): Promise<unknown> {
    const bull = this.deps.queues.get(queue).removeArguments(id);
    return this.deps.connections.run('Revoking', (client) =>
      client.celeryRevoke(
        BULL_KEYS.removeJob + 1,
        ...bull.slice(0, BULL_KEYS.removeJob),
        this.deps.keys.bull(queue, `${id}:lock`),
        ...bull.slice(BULL_KEYS.removeJob),
        id,
        record?.status ?? '',
        record?.payload ?? '',
        record?.ttl ?? '',
        until,
      ),
    );
  }
}
