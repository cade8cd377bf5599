import { randomUUID } from 'node:crypto';

import { isError } from '../../errors/task-queue.errors.js';
import type { BrokerLogger } from '../broker-options.interface.js';
import type { ResultListener } from '../broker.port.js';
import type { PostgresListener } from './postgres.listener.js';
import type { PostgresSession } from './postgres.session.js';
import { TickBatcher } from './tick.batcher.js';

/** Most ids of one statement. */
const LARGEST_BATCH = 1000;

/** Tells this process of results: it writes down what it waits for, and who stores it notifies. */
export class PostgresResultWatcher {
  /** Notifications for this process; one channel for all ids. */
  readonly #channel = `celery_results_${randomUUID().replaceAll('-', '')}`;
  readonly #watched = new Set<string>();
  readonly #adding = this.#batcher('SELECT celery_watch($1, $2)');
  readonly #removing = this.#batcher(
    'DELETE FROM celery_watch WHERE task_id = ANY($1) AND channel = $2',
  );
  #listener: ResultListener | undefined;

  /** @param budget - How long a call may take, milliseconds. */
  constructor(
    private readonly session: PostgresSession,
    private readonly notices: PostgresListener,
    private readonly logger: BrokerLogger,
    private readonly budget: number,
  ) {}

  onResult(listener: ResultListener): void {
    this.#listener = listener;
  }

  async watch(id: string): Promise<void> {
    const isNew = !this.#watched.has(id);
    this.#watched.add(id);
    try {
      await this.notices.listen(this.#channel, (text) => this.#notice(text), this.budget);
      await this.#adding.add(id);
    } catch (error) {
      if (isNew) {
        this.#watched.delete(id);
      }
      throw error;
    }
  }

  async unwatch(id: string): Promise<void> {
    if (this.#watched.delete(id)) {
      await this.#removing.add(id);
    }
  }

  /** Makes up for the time without notifications: everything may have been stored meanwhile. */
  async restore(): Promise<void> {
    const ids = [...this.#watched];
    try {
      for (let from = 0; from < ids.length; from += LARGEST_BATCH) {
        await this.#store('SELECT celery_watch($1, $2)', ids.slice(from, from + LARGEST_BATCH));
      }
    } catch (error) {
      // The connection went again: the next one restores.
      this.logger.debug(`Watches could not be restored: ${isError(error) ? error.message : ''}`);
      return;
    }
    ids.forEach((id) => this.#tell(id, undefined));
  }

  /** Takes back what is written down. Best effort: rows that stay are swept later. */
  async close(budget: number): Promise<void> {
    this.#listener = undefined;
    if (this.#watched.size > 0) {
      this.#watched.clear();
      await this.session
        .run('DELETE FROM celery_watch WHERE channel = $1', [this.#channel], budget)
        .catch(() => undefined);
    }
  }

  #notice(text: string): void {
    // An id has no colon; what follows the first one is the result.
    const end = text.indexOf(':');
    this.#tell(end < 0 ? text : text.slice(0, end), end < 0 ? undefined : text.slice(end + 1));
  }

  #tell(id: string, payload: string | undefined): void {
    if (!this.#watched.has(id)) {
      return;
    }
    try {
      this.#listener?.(id, payload);
    } catch (error) {
      this.logger.error(
        `The listener for results failed on task ${id}: ${isError(error) ? error.message : ''}`,
      );
    }
  }

  #batcher(text: string): TickBatcher<string> {
    return new TickBatcher({
      limit: LARGEST_BATCH,
      isItemsFault: () => false,
      store: (ids) => this.#store(text, ids),
    });
  }

  async #store(text: string, ids: readonly string[]): Promise<void> {
    await this.session.run(text, [ids, this.#channel], this.budget);
  }
}
