import type { ResultRecord, ResultStore } from '../broker.port.js';
import type { PostgresSession } from './postgres.session.js';

const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';
const LIVE = `(expires_at_ms IS NULL OR expires_at_ms > ${NOW})`;

/** Results in the tables beside BullMQ's. */
export class PostgresResultStore implements ResultStore {
  /** @param budget - How long a call may take, milliseconds. */
  constructor(
    private readonly session: PostgresSession,
    private readonly budget: number,
  ) {}

  async put({ id, status, payload, ttl }: ResultRecord): Promise<boolean> {
    const [row] = await this.#run<{ stored: boolean }>(
      'SELECT celery_record($1, $2, $3, $4, NULL) AS stored',
      [id, status, payload, wholeMilliseconds(ttl)],
    );
    return row?.stored ?? false;
  }

  async get(id: string): Promise<string | undefined> {
    const [row] = await this.#run<{ payload: string }>(
      `SELECT payload FROM celery_result WHERE id = $1 AND status <> '' AND ${LIVE}`,
      [id],
    );
    return row?.payload;
  }

  async getMany(ids: readonly string[]): Promise<(string | undefined)[]> {
    if (ids.length === 0) {
      return [];
    }
    const rows = await this.#run<{ id: string; payload: string }>(
      `SELECT id, payload FROM celery_result WHERE id = ANY($1) AND status <> '' AND ${LIVE}`,
      [ids],
    );
    const payloads = new Map(rows.map((row) => [row.id, row.payload]));
    return ids.map((id) => payloads.get(id));
  }

  async remove(id: string): Promise<void> {
    await this.#run("DELETE FROM celery_result WHERE id = $1 AND status <> ''", [id]);
  }

  async putGroup(id: string, payload: string, ttl: number | null): Promise<void> {
    await this.#run(
      `INSERT INTO celery_group (id, payload, expires_at_ms) VALUES ($1, $2, ${NOW} + $3::bigint) ` +
        'ON CONFLICT (id) DO UPDATE ' +
        'SET payload = EXCLUDED.payload, expires_at_ms = EXCLUDED.expires_at_ms',
      [id, payload, wholeMilliseconds(ttl)],
    );
  }

  async getGroup(id: string): Promise<string | undefined> {
    const [row] = await this.#run<{ payload: string }>(
      `SELECT payload FROM celery_group WHERE id = $1 AND ${LIVE}`,
      [id],
    );
    return row?.payload;
  }

  async removeGroup(id: string): Promise<void> {
    await this.#run('DELETE FROM celery_group WHERE id = $1', [id]);
  }

  #run<R>(text: string, values: readonly unknown[]): Promise<R[]> {
    return this.session.run<R>(text, values, this.budget);
  }
}

/** A time to live for a bigint column. */
export function wholeMilliseconds(ttl: number | null): number | null {
  return ttl === null ? null : Math.ceil(ttl);
}
