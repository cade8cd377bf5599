import type { DeadLetter, QueueCounts, TaskLocation } from '../broker.port.js';
import type { PostgresSession } from './postgres.session.js';
import { decodeTaskData } from './task-data.codec.js';

interface DeadLetterRow {
  readonly id: string;
  readonly name: string;
  readonly data: string;
  readonly reason: string | null;
  readonly died: string;
}

/** BullMQ's states in the words of the port; a completed job has ended. */
const STATES: Readonly<Record<string, TaskLocation['state']>> = {
  waiting: 'waiting',
  'waiting-children': 'waiting',
  delayed: 'delayed',
  active: 'active',
  failed: 'dead',
};

/** Looks at queues and tasks; changes nothing. */
export class PostgresInspector {
  /** @param budget - How long a call may take, milliseconds. */
  constructor(
    private readonly session: PostgresSession,
    private readonly budget: number,
  ) {}

  async queues(): Promise<string[]> {
    const rows = await this.#run<{ name: string }>(
      'SELECT name FROM celery_queues() AS t(name)',
      [],
    );
    return rows.map(({ name }) => name).toSorted();
  }

  async locate(id: string): Promise<TaskLocation | undefined> {
    // The key of the jobs begins with the queue. Of several, the one that is not dead counts.
    const [row] = await this.#run<{ queue: string; state: string }>(
      'SELECT j.queue, j.state FROM celery_queues() AS q(name) ' +
        'JOIN LATERAL (SELECT * FROM job WHERE queue = q.name AND id = $1) AS j ON true ' +
        "WHERE j.state <> 'completed' ORDER BY j.state = 'failed' LIMIT 1",
      [id],
    );
    const state = row && STATES[row.state];
    return state && { queue: row.queue, state };
  }

  async counts(queue: string): Promise<QueueCounts> {
    const rows = await this.#run<{ state: string; n: number }>(
      'SELECT state, count(*)::int AS n FROM job WHERE queue = $1 GROUP BY state',
      [queue],
    );
    const count = (state: string): number => rows.find((row) => row.state === state)?.n ?? 0;
    return {
      waiting: count('waiting'),
      delayed: count('delayed'),
      active: count('active'),
      dead: count('failed'),
    };
  }

  async deadLetters(queue: string, limit?: number): Promise<DeadLetter[]> {
    const rows = await this.#run<DeadLetterRow>(
      'SELECT id, name, data::text AS data, failed_reason AS reason, finished_at_ms AS died ' +
        "FROM job WHERE queue = $1 AND state = 'failed' " +
        'ORDER BY finished_at_ms DESC, seq DESC LIMIT $2',
      [queue, limit ?? null],
    );
    return rows.map(({ id, name, data, reason, died }) => ({
      id,
      name,
      queue,
      data: decodeTaskData(data),
      reason: reason ?? '',
      diedAt: Number(died),
    }));
  }

  #run<R>(text: string, values: readonly unknown[]): Promise<R[]> {
    return this.session.run<R>(text, values, this.budget);
  }
}
