import type { OutgoingTask } from '../broker.port.js';
import type { BullQueue } from './bull-queue.js';
import type { RedisClient } from './redis-clients.js';

/**
 * Bounds of one script call. A large burst goes in several calls, so that the store works on the
 * first while the next is being written, and is never held for long.
 */
const MAX_TASKS = 25;
const MAX_BYTES = 4 * 1024 * 1024;

type Arguments = (string | number | Buffer)[];

interface Batch {
  readonly retrying: boolean;
  readonly tasks: OutgoingTask[];
  bytes: number;
  readonly sent: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

interface PublisherDeps {
  /** Set of the names of all queues. */
  readonly queuesKey: string;
  queue(name: string): BullQueue;
  now(): number;
  /** A connection that can be used now; throws when the store is away. */
  client(): Promise<RedisClient>;
}

/**
 * Publishes tasks. Calls made in the same turn of the event loop for the same queue share one
 * script call: a burst of a hundred costs one round trip, and a lone call waits for nobody.
 */
export class RedisPublisher {
  private readonly batches = new Map<string, Batch>();
  private readonly announcedQueues = new Set<string>();
  private flushPlanned = false;

  constructor(private readonly deps: PublisherDeps) {}

  async publish(tasks: readonly OutgoingTask[], retrying: boolean): Promise<void> {
    const sent = new Set<Promise<void>>();
    for (const task of tasks) {
      sent.add(this.enqueue(task, retrying).sent);
    }
    await Promise.all(sent);
  }

  private enqueue(task: OutgoingTask, retrying: boolean): Batch {
    const key = `${retrying ? 'r' : 'n'}${task.queue}`;
    let batch = this.batches.get(key);
    const size = task.data.length;
    if (batch && (batch.tasks.length >= MAX_TASKS || batch.bytes + size > MAX_BYTES)) {
      this.batches.delete(key);
      void this.send(batch);
      batch = undefined;
    }
    if (!batch) {
      batch = newBatch(retrying);
      this.batches.set(key, batch);
    }
    batch.tasks.push(task);
    batch.bytes += size;
    if (!this.flushPlanned) {
      this.flushPlanned = true;
      process.nextTick(() => this.flush());
    }
    return batch;
  }

  private flush(): void {
    this.flushPlanned = false;
    const batches = [...this.batches.values()];
    this.batches.clear();
    for (const batch of batches) {
      void this.send(batch);
    }
  }

  private async send(batch: Batch): Promise<void> {
    try {
      const client = await this.deps.client();
      const name = batch.tasks[0]!.queue;
      const queue = this.deps.queue(name);
      const now = this.deps.now();
      const isUsual = !batch.retrying && batch.tasks.every((task) => isUsualTask(task, now));
      if (!this.announcedQueues.has(name)) {
        await client.sadd(this.deps.queuesKey, name);
        this.announcedQueues.add(name);
      }
      await (isUsual
        ? client.celeryPublish(1, queue.base, ...usualArguments(queue, batch.tasks, now))
        : client.celeryPublishAny(1, queue.base, ...anyArguments(queue, batch, now)));
      batch.resolve();
    } catch (error) {
      batch.reject(error);
    }
  }
}

function isUsualTask({ dueAt = 0, expiresAt, priority = 0 }: OutgoingTask, now: number): boolean {
  return Math.ceil(dueAt) <= now && expiresAt === undefined && priority === 0;
}

function usualArguments(queue: BullQueue, tasks: readonly OutgoingTask[], now: number): Arguments {
  const args: Arguments = [queue.standardOptions];
  for (const task of tasks) {
    args.push(queue.packStandard(task, now), task.data);
  }
  return args;
}

function anyArguments(queue: BullQueue, { retrying, tasks }: Batch, now: number): Arguments {
  const args: Arguments = [tasks[0]!.queue, retrying ? '1' : '0'];
  for (const task of tasks) {
    pushTask(args, queue, task, now);
  }
  return args;
}

/** Appends one task to the flat list of the publish and finish scripts. */
export function pushTask(
  list: (string | number | Buffer)[],
  queue: BullQueue,
  task: OutgoingTask,
  now: number,
): void {
  const { kind, args } = queue.encode(task, now);
  list.push(kind, args[0]!, args[1]!, args[2]!, task.id, task.expiresAt ?? '');
}

function newBatch(retrying: boolean): Batch {
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const sent = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { retrying, tasks: [], bytes: 0, sent, resolve, reject };
}
