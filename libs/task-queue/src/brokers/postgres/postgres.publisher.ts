import type { Clock } from '../../clock/index.js';
import type { OutgoingTask } from '../broker.port.js';
import { isDataRefused } from './postgres-error.mapper.js';
import type { PostgresSession } from './postgres.session.js';
import { encodeTaskData } from './task-data.codec.js';
import { TickBatcher } from './tick.batcher.js';

/** Most tasks of one statement. */
const LARGEST_BATCH = 1000;

/** The highest of the priorities of tasks. */
const HIGHEST_PRIORITY = 9;

/** Tasks in the form that the function `celery_publish` takes. */
export interface EncodedTasks {
  /** JSON: the tasks by queue, in their order. */
  readonly batches: string;
  /** Queues that this process has not stored the name of yet. */
  readonly newQueues: readonly string[];
}

/** Stores tasks; what is published in one turn of the event loop goes into one statement. */
export class PostgresPublisher {
  readonly #knownQueues = new Set<string>();
  readonly #first = this.#batcher(false);
  readonly #again = this.#batcher(true);

  /** @param budget - How long a call may take, milliseconds. */
  constructor(
    private readonly session: PostgresSession,
    private readonly clock: Clock,
    private readonly budget: number,
  ) {}

  async publish(tasks: readonly OutgoingTask[], retrying: boolean): Promise<void> {
    const batcher = retrying ? this.#again : this.#first;
    for (let from = 0; from < tasks.length; from += LARGEST_BATCH) {
      // One after the other, so that the order of the tasks is their order in the queue.
      await batcher.add(tasks.slice(from, from + LARGEST_BATCH));
    }
  }

  encode(tasks: readonly OutgoingTask[]): EncodedTasks {
    const now = this.clock.now();
    const queues = new Map<string, object[]>();
    for (const task of tasks) {
      const entries = queues.get(task.queue) ?? [];
      queues.set(task.queue, entries);
      entries.push(entryOf(task, now));
    }
    return {
      batches: JSON.stringify(Object.fromEntries(queues)),
      newQueues: [...queues.keys()].filter((queue) => !this.#knownQueues.has(queue)),
    };
  }

  /** The names are stored now. */
  learn({ newQueues }: EncodedTasks): void {
    newQueues.forEach((queue) => this.#knownQueues.add(queue));
  }

  #batcher(retrying: boolean): TickBatcher<readonly OutgoingTask[]> {
    return new TickBatcher<readonly OutgoingTask[]>({
      limit: LARGEST_BATCH,
      weight: (tasks) => tasks.length,
      isItemsFault: isDataRefused,
      store: async (calls) => {
        const encoded = this.encode(calls.flat());
        await this.session.run(
          'SELECT celery_publish($1, $2, $3)',
          [encoded.batches, retrying, encoded.newQueues],
          this.budget,
        );
        this.learn(encoded);
      },
    });
  }
}

/** One entry of the batch that BullMQ's `add_jobs_bulk` takes. */
function entryOf(task: OutgoingTask, now: number): object {
  const delay = Math.max(0, Math.ceil((task.dueAt ?? now) - now));
  const priority = toBullPriority(task.priority ?? 0);
  return {
    id: task.id,
    name: task.name,
    data: encodeTaskData(task.data),
    opts: {
      attempts: 1,
      removeOnComplete: true,
      ...(delay > 0 ? { delay } : {}),
      ...(priority > 0 ? { priority } : {}),
      ...(task.expiresAt === undefined ? {} : { celeryExpiresAt: Math.ceil(task.expiresAt) }),
    },
    priority,
    delay,
    timestamp: now,
  };
}

/** BullMQ's priorities begin with 1, the highest; 0 is none. */
function toBullPriority(priority: number): number {
  return priority > 0 ? HIGHEST_PRIORITY + 1 - priority : 0;
}
