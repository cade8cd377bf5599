import type { Clock } from '../../clock/index.js';
import type { ResultRecord } from '../broker.port.js';
import type { BullQueues } from './bull-queue.js';
import type { RedisClient } from './redis-clients.js';
import type { RedisConnections } from './redis-connections.js';
import type { RedisKeys } from './redis-keys.js';
import { BULL_KEYS } from './scripts/index.js';

/** How many expired tasks one page has. */
const PAGE = 200;

type Answer = { readonly id: string; readonly kind: 'ended' | 'gone' | 'held' };

export interface RedisExpiryDeps {
  readonly connections: RedisConnections;
  readonly queues: BullQueues;
  readonly keys: RedisKeys;
  readonly clock: Clock;
}

/** Ends tasks whose time is over. */
export class RedisExpiry {
  constructor(private readonly deps: RedisExpiryDeps) {}

  async expire(record: (id: string) => ResultRecord | undefined): Promise<string[]> {
    const client = await this.deps.connections.ready('producer');
    const now = this.deps.clock.now();
    const ended: string[] = [];
    // Tasks that workers hold stay listed, and are stepped over.
    let held = 0;
    for (;;) {
      const due = await client.zrangebyscore(
        this.deps.keys.expires,
        '-inf',
        now,
        'LIMIT',
        held,
        PAGE,
      );
      const answers = await Promise.all(due.map((member) => this.endOne(client, member, record)));
      held += answers.filter(({ kind }) => kind === 'held').length;
      ended.push(...answers.filter(({ kind }) => kind === 'ended').map(({ id }) => id));
      if (due.length < PAGE) {
        return ended;
      }
    }
  }

  private async endOne(
    client: RedisClient,
    member: string,
    makeRecord: (id: string) => ResultRecord | undefined,
  ): Promise<Answer> {
    const end = member.indexOf(':');
    const [queue, id] = [member.slice(0, end), member.slice(end + 1)];
    const record = makeRecord(id);
    const bull = this.deps.queues.get(queue).removeArguments(id);
    const answer: unknown = await client.celeryExpire(
      BULL_KEYS.removeJob + 1,
      ...bull.slice(0, BULL_KEYS.removeJob),
      this.deps.keys.bull(queue, `${id}:lock`),
      ...bull.slice(BULL_KEYS.removeJob),
      id,
      record?.status ?? '',
      record?.payload ?? '',
      record?.ttl ?? '',
      member,
    );
    return { id, kind: answer === 1 ? 'ended' : answer === -1 ? 'held' : 'gone' };
  }
}
