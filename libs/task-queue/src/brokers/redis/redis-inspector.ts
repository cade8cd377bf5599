import type { DeadLetter, QueueCounts, TaskLocation } from '../broker.port.js';
import { fromBullPriority, type BullQueue } from './bull-queue.js';
import type { RedisClient } from './redis-clients.js';
import type { RedisKeys } from './redis-keys.js';
import { pushTask } from './redis-publisher.js';
import { BULL_KEYS } from './scripts/index.js';

export interface RedisInspectorDeps {
  readonly keys: RedisKeys;
  run<T>(doing: string, command: (client: RedisClient) => Promise<T>): Promise<T>;
  /** The queue, on the connection that `run` uses. */
  queue(name: string): BullQueue;
}

/** Looks into queues and clears them, over BullMQ's keys. */
export class RedisInspector {
  constructor(private readonly deps: RedisInspectorDeps) {}

  async queues(): Promise<string[]> {
    const names = await this.deps.run('Listing queues', (client) =>
      client.smembers(this.deps.keys.queues),
    );
    return names.toSorted();
  }

  counts(queue: string): Promise<QueueCounts> {
    const { keys } = this.deps;
    return this.deps.run('Counting', async (client) => {
      const [waiting, prioritized, delayed, active, dead] = await Promise.all([
        client.llen(keys.bull(queue, 'wait')),
        client.zcard(keys.bull(queue, 'prioritized')),
        client.zcard(keys.bull(queue, 'delayed')),
        client.llen(keys.bull(queue, 'active')),
        client.zcard(keys.bull(queue, 'failed')),
      ]);
      return { waiting: waiting + prioritized, delayed, active, dead };
    });
  }

  deadLetters(queue: string, limit: number): Promise<DeadLetter[]> {
    const { keys } = this.deps;
    return this.deps.run('Listing dead letters', async (client) => {
      const ids = await client.zrevrange(keys.bull(queue, 'failed'), 0, Math.max(0, limit - 1));
      const letters = await Promise.all(
        ids.map(async (id) => {
          const [name, data, reason, diedAt] = await client.hmget(
            keys.bull(queue, id),
            'name',
            'data',
            'failedReason',
            'finishedOn',
          );
          return {
            id,
            queue,
            name: name ?? '',
            data: data ?? '',
            reason: reason ?? '',
            diedAt: Number(diedAt ?? 0),
          };
        }),
      );
      return limit > 0 ? letters : [];
    });
  }

  /** Removes a dead letter, and publishes it anew when `again` is given. */
  removeDead(queue: string, id: string, again: boolean, now: number): Promise<boolean> {
    const { keys } = this.deps;
    return this.deps.run('Taking a dead letter', async (client) => {
      const backend = this.deps.queue(queue);
      const bull = backend.removeArguments(id);
      const args: (string | number | Buffer)[] = [
        ...bull.slice(0, BULL_KEYS.removeJob),
        backend.base,
        ...bull.slice(BULL_KEYS.removeJob),
        queue,
      ];
      if (again) {
        const [name, data, priority] = await client.hmget(
          keys.bull(queue, id),
          'name',
          'data',
          'priority',
        );
        const task = { id, queue, name: name ?? '', data: data ?? '' };
        pushTask(args, backend, { ...task, priority: fromBullPriority(Number(priority)) }, now);
      } else {
        args.push('');
      }
      return (await client.celeryRedrive(BULL_KEYS.removeJob + 1, ...args)) === 1;
    });
  }

  purge(queue: string): Promise<number> {
    return this.deps.run('Purging', async () => {
      const { waiting, delayed } = await this.counts(queue);
      await this.deps.queue(queue).drain(true);
      return waiting + delayed;
    });
  }

  async locate(id: string): Promise<TaskLocation | undefined> {
    const { keys } = this.deps;
    for (const queue of await this.queues()) {
      const state = await this.deps.run('Looking for a task', async (client) => {
        const [exists, active, delayed, dead] = await Promise.all([
          client.exists(keys.bull(queue, id)),
          client.lpos(keys.bull(queue, 'active'), id),
          client.zscore(keys.bull(queue, 'delayed'), id),
          client.zscore(keys.bull(queue, 'failed'), id),
        ]);
        return exists === 0 ? undefined : stateOf(active, delayed, dead);
      });
      if (state) {
        return { queue, state };
      }
    }
    return undefined;
  }
}

function stateOf(
  active: number | null,
  delayed: string | null,
  dead: string | null,
): TaskLocation['state'] {
  if (active !== null) {
    return 'active';
  }
  if (dead !== null) {
    return 'dead';
  }
  return delayed === null ? 'waiting' : 'delayed';
}
