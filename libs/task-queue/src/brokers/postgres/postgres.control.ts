import type { ResultRecord, RevokeAnswer } from '../broker.port.js';
import { wholeMilliseconds } from './postgres-result.store.js';
import type { PostgresSession } from './postgres.session.js';

/** Revokes tasks, and puts back or removes dead letters. */
export class PostgresControl {
  /** @param budget - How long a call may take, milliseconds. */
  constructor(
    private readonly session: PostgresSession,
    private readonly budget: number,
  ) {}

  async revoke(
    id: string,
    record: ResultRecord | undefined,
    keepFor: number,
  ): Promise<RevokeAnswer> {
    const [row] = await this.#run<{ answer: RevokeAnswer }>(
      'SELECT celery_revoke($1, $2, $3, $4, $5) AS answer',
      [
        id,
        record?.status ?? null,
        record?.payload ?? null,
        record ? wholeMilliseconds(record.ttl) : null,
        // For ever is a number, too.
        Math.min(Math.ceil(keepFor), Number.MAX_SAFE_INTEGER),
      ],
    );
    return row?.answer ?? 'unknown';
  }

  redrive(queue: string, id: string): Promise<boolean> {
    return this.#isDone('SELECT celery_redrive($1, $2) AS done', queue, id);
  }

  discard(queue: string, id: string): Promise<boolean> {
    return this.#isDone('SELECT celery_discard($1, $2) AS done', queue, id);
  }

  async #isDone(text: string, queue: string, id: string): Promise<boolean> {
    const [row] = await this.#run<{ done: boolean }>(text, [queue, id]);
    return row?.done ?? false;
  }

  #run<R>(text: string, values: readonly unknown[]): Promise<R[]> {
    return this.session.run<R>(text, values, this.budget);
  }
}
