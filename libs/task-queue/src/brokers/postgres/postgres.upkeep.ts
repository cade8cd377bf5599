import type { ResultRecord } from '../broker.port.js';
import { wholeMilliseconds } from './postgres-result.store.js';
import type { PostgresSession } from './postgres.session.js';

/** Tasks that are expired in one transaction. */
const EXPIRE_BATCH = 200;
/** Old rows that are deleted in one transaction, and how many such transactions at a time. */
const SWEEP_BATCH = 500;
const MOST_SWEEPS = 20;

const DUE_SQL =
  'SELECT e.queue, e.task_id AS id FROM celery_expiry e ' +
  "JOIN job j ON j.queue = e.queue AND j.id = e.task_id AND j.state IN ('waiting', 'delayed') " +
  'WHERE e.expires_at_ms <= (extract(epoch FROM clock_timestamp()) * 1000)::bigint ' +
  'ORDER BY e.expires_at_ms LIMIT $1';

/** Removes what nobody wants any more. */
export class PostgresUpkeep {
  /** @param budget - How long a statement may take, milliseconds. */
  constructor(
    private readonly session: PostgresSession,
    private readonly budget: number,
  ) {}

  /** Ends expired tasks, then deletes results and other rows that are past their time. */
  async expire(record: (id: string) => ResultRecord | undefined): Promise<string[]> {
    const expired: string[] = [];
    for (;;) {
      const due = await this.#run<{ queue: string; id: string }>(DUE_SQL, [EXPIRE_BATCH]);
      if (due.length === 0) {
        break;
      }
      const ended = await this.#end(due, record);
      expired.push(...ended);
      // Without progress the rest is in the hands of somebody else.
      if (due.length < EXPIRE_BATCH || ended.length === 0) {
        break;
      }
    }
    await this.#sweep();
    return expired;
  }

  async purge(queue: string): Promise<number> {
    const [row] = await this.#run<{ n: number }>('SELECT celery_purge($1) AS n', [queue]);
    return row?.n ?? 0;
  }

  async #end(
    due: readonly { queue: string; id: string }[],
    record: (id: string) => ResultRecord | undefined,
  ): Promise<string[]> {
    const items = due.map(({ queue, id }) => {
      const { status, payload, ttl } = record(id) ?? { ttl: null };
      return { queue, id, status, payload, ttl: wholeMilliseconds(ttl) };
    });
    const rows = await this.#run<{ id: string }>('SELECT id FROM celery_expire($1) AS t(id)', [
      JSON.stringify(items),
    ]);
    return rows.map(({ id }) => id);
  }

  async #sweep(): Promise<void> {
    for (let sweep = 0; sweep < MOST_SWEEPS; sweep += 1) {
      const [row] = await this.#run<{ n: number }>('SELECT celery_sweep($1) AS n', [SWEEP_BATCH]);
      if ((row?.n ?? 0) < SWEEP_BATCH) {
        return;
      }
    }
  }

  #run<R>(text: string, values: readonly unknown[]): Promise<R[]> {
    return this.session.run<R>(text, values, this.budget);
  }
}
