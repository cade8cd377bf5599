import { LeaseLostError } from '../../errors/task-queue.errors.js';
import type { Clock } from '../../clock/index.js';
import type { Delivery, Fetched, Lease, Outcome } from '../broker.port.js';
import type { BullQueues } from './bull-queue.js';
import type { RedisConnections } from './redis-connections.js';
import type { RedisKeys } from './redis-keys.js';
import { pushTask } from './redis-publisher.js';

export interface RedisConsumerDeps {
  readonly connections: RedisConnections;
  readonly queues: BullQueues;
  readonly keys: RedisKeys;
  readonly clock: Clock;
  /** A name for this process that no other has. */
  readonly processId: string;
}

type Arguments = (string | number | Buffer)[];

/** Fetches tasks and carries out what becomes of them. */
export class RedisConsumer {
  private tokenCount = 0;

  constructor(private readonly deps: RedisConsumerDeps) {}

  async fetch(queue: string): Promise<Fetched> {
    const client = await this.deps.connections.ready('consumer');
    const { base, token, options } = this.slot(queue);
    const answer: unknown = await client.celeryFetch(1, base, this.deps.clock.now(), options);
    return toFetched(queue, token, answer);
  }

  async finish(lease: Lease, outcome: Outcome, fetchNext: boolean): Promise<Fetched> {
    const client = await this.deps.connections.ready('consumer');
    const { base } = this.deps.queues.get(lease.queue);
    const args = this.finishArguments(lease, outcome, fetchNext);
    const answer: unknown = await (outcome.publish?.length
      ? client.celeryFinishAndPublish(1, base, ...args)
      : client.celeryFinish(1, base, ...args));
    if (typeof answer === 'number' && answer < 0) {
      throw new LeaseLostError(lease.id);
    }
    return toFetched(lease.queue, lease.token, answer);
  }

  release(lease: Lease): Promise<void> {
    return this.underLease(lease, () =>
      this.deps.queues.get(lease.queue).moveJobFromActiveToWait(lease.id, lease.token),
    );
  }

  postpone(lease: Lease, delay: number): Promise<void> {
    return this.underLease(lease, () =>
      this.deps.queues
        .get(lease.queue)
        .moveToDelayed(
          lease.id,
          this.deps.clock.now(),
          Math.max(1, Math.ceil(delay)),
          lease.token,
          { skipAttempt: false },
        ),
    );
  }

  async reclaim(queue: string): Promise<string[]> {
    const client = await this.deps.connections.ready('consumer');
    const backend = this.deps.queues.get(queue);
    const reclaimed: string[] = [];
    // BullMQ marks in one pass and moves in the next. A missing lock is proof enough, so both
    // passes are made at once.
    for (let pass = 0; pass < 2; pass += 1) {
      await client.del(this.deps.keys.bull(queue, 'stalled-check'));
      reclaimed.push(...(await backend.moveStalledJobsToWait()));
    }
    return reclaimed;
  }

  private slot(queue: string): { base: string; token: string; options: Buffer } {
    this.tokenCount += 1;
    const token = `${this.deps.processId}:${this.tokenCount}`;
    const backend = this.deps.queues.get(queue);
    return { base: backend.base, token, options: backend.completedOptions(token) };
  }

  private finishArguments(lease: Lease, outcome: Outcome, fetchNext: boolean): Arguments {
    const { record, announce, deadLetter, publish } = outcome;
    const queue = this.deps.queues.get(lease.queue);
    const now = this.deps.clock.now();
    const options =
      deadLetter === undefined
        ? queue.completedOptions(lease.token)
        : queue.failedOptions(lease.token);
    const args: Arguments = [lease.id, now, fetchNext ? '1' : '0', options];
    if (record || announce !== undefined || deadLetter !== undefined || publish?.length) {
      args.push(record?.status ?? '', record?.payload ?? '', record?.ttl ?? '', announce ?? '');
    }
    if (deadLetter !== undefined) {
      args.push('failed', 'failedReason', deadLetter);
    } else if (publish?.length) {
      args.push('completed', 'returnvalue', 'null');
    }
    for (const task of publish ?? []) {
      const target = this.deps.queues.get(task.queue);
      args.push(task.queue, ...target.standardKeys, ...target.delayedKeys);
      pushTask(args, target, task, now);
    }
    return args;
  }

  /** Runs one of BullMQ's own moves; its complaints about the lock mean a lost lease. */
  private async underLease(lease: Lease, move: () => Promise<unknown>): Promise<void> {
    await this.deps.connections.ready('consumer');
    try {
      await move();
    } catch (error) {
      if (
        error instanceof Error &&
        /Missing (lock|key)|Lock mismatch|not in the/i.test(error.message)
      ) {
        throw new LeaseLostError(lease.id);
      }
      throw error;
    }
  }
}

/** The answer of BullMQ's scripts: `[fields of the job, id, rate limit, next due time]`. */
function toFetched(queue: string, token: string, answer: unknown): Fetched {
  if (!Array.isArray(answer)) {
    return {};
  }
  const [fields, id, , dueAt] = answer as [unknown, unknown, unknown, unknown];
  const delivery = Array.isArray(fields)
    ? { delivery: toDelivery({ id: String(id), queue, token }, fields as string[]) }
    : {};
  const due = Number(dueAt);
  return due > 0 ? { ...delivery, nextDueAt: Math.ceil(due) } : delivery;
}

/** @param fields - The job's hash: names and values in turn. BullMQ's short names. */
function toDelivery(lease: Lease, fields: readonly string[]): Delivery {
  let name = '';
  let data = '';
  let publishedAt = 0;
  let redeliveries = 0;
  let postponements = 0;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = fields[i + 1]!;
    switch (fields[i]) {
      case 'name':
        name = value;
        break;
      case 'data':
        data = value;
        break;
      case 'timestamp':
        publishedAt = Number(value) || 0;
        break;
      case 'stc':
        redeliveries = Number(value) || 0;
        break;
      case 'atm':
        postponements = Number(value) || 0;
        break;
      default:
    }
  }
  return { lease, name, data, publishedAt, redeliveries, postponements };
}
