import { LeaseLostError } from '../../errors/task-queue.errors.js';
import type { Clock } from '../../clock/index.js';
import type { Delivery, Fetched, Lease, Outcome, OutgoingTask } from '../broker.port.js';
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

/** Arguments of an outcome that stores nothing but the end. */
const BARE_ARGUMENTS = 5;

type Arguments = (string | number | Buffer)[];

/** Fetches tasks and carries out what becomes of them. */
export class RedisConsumer {
  private tokenCount = 0;
  /** Of the last finish: the first of every second also sets an expiry in the store. */
  private lastSecond = 0;

  constructor(private readonly deps: RedisConsumerDeps) {}

  async fetch(queue: string): Promise<Fetched> {
    const client = await this.deps.connections.ready('consumer');
    this.tokenCount += 1;
    const token = `${this.deps.processId}:${this.tokenCount}`;
    const { base } = this.deps.queues.get(queue);
    const answer: unknown = await client.celeryFetch(1, base, this.deps.clock.now(), token);
    return toFetched(queue, token, answer);
  }

  async finish(lease: Lease, outcome: Outcome, fetchNext: boolean): Promise<Fetched> {
    const client = await this.deps.connections.ready('consumer');
    const { base } = this.deps.queues.get(lease.queue);
    const args = this.finishArguments(lease, outcome, fetchNext);
    const finish = outcome.publish?.length
      ? client.celeryFinishAndPublish
      : args.length > BARE_ARGUMENTS
        ? client.celeryFinish
        : client.celeryFinishBare;
    const answer: unknown = await finish.call(client, 1, base, ...args);
    if (typeof answer === 'number' && answer < 0) {
      throw new LeaseLostError(lease.id);
    }
    return toFetched(lease.queue, lease.token, answer);
  }

  /** The task is removed and published anew in one step, under the same id. */
  async retry(
    lease: Lease,
    task: OutgoingTask,
    { record, announce }: Pick<Outcome, 'record' | 'announce'>,
  ): Promise<void> {
    const client = await this.deps.connections.ready('consumer');
    const queue = this.deps.queues.get(lease.queue);
    const now = this.deps.clock.now();
    const args = this.bareArguments(lease, now, false);
    args.push(record?.status ?? '', record?.payload ?? '', record?.ttl ?? '', announce ?? '');
    args.push('completed', 'returnvalue', 'null', '');
    this.pushSuccessor(args, task, now);
    const answer: unknown = await client.celeryRetry(1, queue.base, ...args);
    if (typeof answer === 'number' && answer < 0) {
      throw new LeaseLostError(lease.id);
    }
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
    if (reclaimed.length > 0) {
      await client.celeryReclaimed(1, backend.base, ...reclaimed);
    }
    return reclaimed;
  }

  private finishArguments(lease: Lease, outcome: Outcome, fetchNext: boolean): Arguments {
    const { record, announce, deadLetter, publish } = outcome;
    const queue = this.deps.queues.get(lease.queue);
    const now = this.deps.clock.now();
    const args = this.bareArguments(lease, now, fetchNext);
    if (!record && announce === undefined && deadLetter === undefined && !publish?.length) {
      return args;
    }
    args.push(record?.status ?? '', record?.payload ?? '', record?.ttl ?? '', announce ?? '');
    args.push(
      ...(deadLetter === undefined
        ? ['completed', 'returnvalue', 'null', '']
        : ['failed', 'failedReason', deadLetter, queue.failedOptions(lease.token)]),
    );
    for (const task of publish ?? []) {
      this.pushSuccessor(args, task, now);
    }
    return args;
  }

  private bareArguments(lease: Lease, now: number, fetchNext: boolean): Arguments {
    const second = Math.floor(now / 1000);
    const isNewSecond = second !== this.lastSecond;
    this.lastSecond = second;
    return [lease.id, now, fetchNext ? '1' : '0', lease.token, isNewSecond ? '1' : ''];
  }

  private pushSuccessor(args: Arguments, task: OutgoingTask, now: number): void {
    const target = this.deps.queues.get(task.queue);
    args.push(task.queue, target.base);
    pushTask(args, target, task, now);
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

/** The answer of a fetch: `[fields of the job, id, rate limit, next due time, revoked]`. */
function toFetched(queue: string, token: string, answer: unknown): Fetched {
  if (!Array.isArray(answer)) {
    return {};
  }
  const [fields, id, , dueAt, revoked] = answer as [unknown, unknown, unknown, unknown, unknown?];
  const delivery = Array.isArray(fields)
    ? {
        delivery: toDelivery({ id: String(id), queue, token }, fields as string[], revoked === 1),
      }
    : {};
  const due = Number(dueAt);
  return due > 0 ? { ...delivery, nextDueAt: Math.ceil(due) } : delivery;
}

/** @param fields - The job's hash: names and values in turn. BullMQ's short names. */
function toDelivery(lease: Lease, fields: readonly string[], revoked: boolean): Delivery {
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
  return { lease, name, data, publishedAt, redeliveries, postponements, revoked };
}
