import { createHash } from 'node:crypto';

import { isError } from '../../errors/task-queue.errors.js';
import type { BrokerLogger } from '../broker-options.interface.js';
import type { PostgresListener } from './postgres.listener.js';
import type { PostgresSession } from './postgres.session.js';

/**
 * Tells every process that listens, by notifications on one channel for each schema. A text goes
 * as a JSON string, which carries what PostgreSQL's texts cannot; a large one is left in a table,
 * and the notification has the number of its row.
 */
export class PostgresBroadcaster {
  readonly #channel: string;
  #listener: ((text: string) => void) | undefined;
  /** Broadcasts are heard in their order, also those that have to be read first. */
  #heard: Promise<void> = Promise.resolve();

  /** @param budget - How long a call may take, milliseconds. */
  constructor(
    private readonly session: PostgresSession,
    private readonly notices: PostgresListener,
    private readonly logger: BrokerLogger,
    private readonly budget: number,
  ) {
    // Channels belong to the whole database, and their names are short.
    const schema = createHash('sha256').update(session.endpoint.schema).digest('hex');
    this.#channel = `celery_control_${schema.slice(0, 32)}`;
  }

  async broadcast(text: string): Promise<void> {
    await this.session.run(
      'SELECT celery_broadcast($1, $2)',
      [this.#channel, JSON.stringify(text)],
      this.budget,
    );
  }

  onBroadcast(listener: (text: string) => void): Promise<void> {
    this.#listener = listener;
    return this.notices.listen(
      this.#channel,
      (notice) => {
        this.#heard = this.#heard.then(() => this.#hear(notice));
      },
      this.budget,
    );
  }

  close(): void {
    this.#listener = undefined;
  }

  /** Never rejects: a broadcast that cannot be heard must not stop the next. */
  async #hear(notice: string): Promise<void> {
    try {
      const text = await this.#textOf(notice);
      if (text !== undefined) {
        this.#listener?.(text);
      }
    } catch (error) {
      this.logger.error(`A broadcast was not heard: ${isError(error) ? error.message : ''}`);
    }
  }

  async #textOf(notice: string): Promise<string | undefined> {
    const parsed: unknown = JSON.parse(notice);
    if (typeof parsed !== 'number') {
      return typeof parsed === 'string' ? parsed : undefined;
    }
    const [row] = await this.session.run<{ json: string }>(
      'SELECT json FROM celery_broadcast WHERE id = $1',
      [parsed],
      this.budget,
    );
    return row && (JSON.parse(row.json) as string);
  }
}
