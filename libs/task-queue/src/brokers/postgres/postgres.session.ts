import { PostgresConnection } from 'bullmq';

import {
  ImproperlyConfigured,
  OperationalError,
  TaskQueueError,
} from '../../errors/task-queue.errors.js';
import type { BrokerLogger } from '../broker-options.interface.js';
import {
  areTablesGone,
  isDeadlock,
  isLeaseLost,
  timedOut,
  toTaskQueueError,
} from './postgres-error.mapper.js';
import type { PostgresEndpoint } from './postgres.endpoint.js';
import { migrate, type MigrationSession } from './postgres.migrator.js';

/** How long `close` waits for calls under way, and again for connections to end, milliseconds. */
const CLOSE_GRACE = 1000;

/** How often a statement is sent again after the server broke a deadlock with it. */
const DEADLOCK_RETRIES = 5;

/** The parts of `pg` that are used here. */
interface PooledClient extends MigrationSession {
  readonly connection?: { readonly stream?: { destroy(): void } };
  on(event: 'error', listener: (error: Error) => void): unknown;
  removeListener(event: 'error', listener: (error: Error) => void): unknown;
  release(destroy?: boolean): void;
}
interface Pool {
  connect(): Promise<PooledClient>;
  query(query: {
    text: string;
    values: readonly unknown[];
    query_timeout: number;
  }): Promise<{ rows: unknown[] }>;
  on(event: 'connect' | 'remove', listener: (client: PooledClient) => void): unknown;
}

/** A connection that listens for notifications. */
export interface ListenClient {
  readonly connection?: { readonly stream?: unknown };
  query(query: { text: string; query_timeout: number }): Promise<unknown>;
  on(
    event: 'notification',
    listener: (notice: { channel: string; payload?: string }) => void,
  ): unknown;
}

/**
 * The pool of connections to one database: sets the tables up on first use, gives every call a
 * time limit, and turns the driver's errors into this library's.
 */
export class PostgresSession {
  readonly #connection: PostgresConnection;
  readonly #pool: Pool;
  readonly #clients = new Set<PooledClient>();
  /** Gives up each call that is under way. */
  readonly #underWay = new Set<(error: Error) => void>();
  #ready: Promise<void> | undefined;
  #listenClient: ListenClient | undefined;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  /** Opens no connection yet. */
  constructor(
    readonly endpoint: PostgresEndpoint,
    private readonly logger: BrokerLogger,
  ) {
    try {
      this.#connection = new PostgresConnection({ ...endpoint.client, schema: endpoint.schema });
    } catch (cause) {
      throw new ImproperlyConfigured(
        "The broker needs the package 'pg' to talk to PostgreSQL: add it to the dependencies of " +
          'the application.',
        { cause },
      );
    }
    // Idle connections that break are replaced; calls see their own errors.
    this.#connection.on('error', (error: Error) =>
      this.logger.debug(`A connection to ${endpoint.description} broke: ${error.message}`),
    );
    this.#pool = this.#connection.pool as unknown as Pool;
    this.#pool.on('connect', (client) => this.#clients.add(client));
    this.#pool.on('remove', (client) => this.#clients.delete(client));
  }

  /** Called when the listening connection broke. */
  onListenerLost(listener: () => void): void {
    this.#connection.on('listenerinvalidated', () => {
      this.#listenClient = undefined;
      listener();
    });
  }

  /**
   * Runs one statement, which is one transaction.
   *
   * @param budget - Milliseconds for everything: connecting, setting up, the statement itself.
   * @throws OperationalError
   * @throws the driver's error when the lease is lost; see `isLeaseLost`
   */
  run<R>(text: string, values: readonly unknown[], budget: number): Promise<R[]> {
    const deadline = Date.now() + budget;
    return this.bounded(budget, async () => {
      await this.#setUp();
      for (let attempt = 0; ; attempt += 1) {
        try {
          return await this.#query<R>(text, values, deadline);
        } catch (error) {
          if (!isDeadlock(error) || attempt >= DEADLOCK_RETRIES) {
            throw error;
          }
        }
      }
    });
  }

  /** Runs one statement that needs none of the tables. */
  probe(text: string, budget: number): Promise<void> {
    const deadline = Date.now() + budget;
    return this.bounded(budget, async () => {
      await this.#query(text, [], deadline);
    });
  }

  /** The connection that listens; opened on first use and after it broke. */
  async listenClient(): Promise<ListenClient> {
    const client = (await this.#connection.getListenClient()) as unknown as ListenClient;
    this.#listenClient = client;
    return client;
  }

  /** Makes the next `listenClient` connect anew. */
  discardListenClient(): void {
    destroy(this.#listenClient);
  }

  /**
   * Gives `work` up when it takes longer than `budget` milliseconds or the session is closed.
   * What it stores after that may still be stored.
   */
  bounded<T>(budget: number, work: () => Promise<T>): Promise<T> {
    if (this.#closing) {
      return Promise.reject(this.#closedError());
    }
    return new Promise<T>((resolve, reject) => {
      const settle = (end: () => void): void => {
        clearTimeout(timer);
        this.#underWay.delete(giveUp);
        end();
        if (this.#underWay.size === 0) {
          this.#onIdle?.();
        }
      };
      const giveUp = (error: Error): void => settle(() => reject(error));
      const timer = setTimeout(() => giveUp(timedOut(this.endpoint, budget)), budget);
      this.#underWay.add(giveUp);
      work().then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(this.#translate(error, budget))),
      );
    });
  }

  /** Ends every connection, within about two seconds. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // The connection refuses new queries once it closes, so calls under way come first.
    await settledWithin(this.#idle(), CLOSE_GRACE);
    this.#underWay.forEach((giveUp) => giveUp(this.#closedError()));
    const closed = this.#connection.close().catch(() => undefined);
    if (!(await settledWithin(closed, CLOSE_GRACE))) {
      // A server that does not answer does not say goodbye either.
      destroy(this.#listenClient);
      this.#clients.forEach(destroy);
      await settledWithin(closed, CLOSE_GRACE);
    }
  }

  #idle(): Promise<void> {
    return this.#underWay.size === 0
      ? Promise.resolve()
      : new Promise((resolve) => {
          this.#onIdle = resolve;
        });
  }

  async #query<R>(text: string, values: readonly unknown[], deadline: number): Promise<R[]> {
    // The pool drops a connection whose query timed out, so that no late answer is taken for
    // another query's.
    const query_timeout = Math.max(1, deadline - Date.now());
    const { rows } = await this.#pool.query({ text, values, query_timeout });
    return rows as R[];
  }

  /** One attempt at a time; a failed one is not remembered. */
  #setUp(): Promise<void> {
    this.#ready ??= this.#migrate().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #migrate(): Promise<void> {
    const client = await this.#pool.connect();
    let broken = false;
    const onError = (): void => {
      broken = true;
    };
    client.on('error', onError);
    try {
      await migrate(client, this.endpoint);
    } catch (error) {
      broken = true;
      throw error;
    } finally {
      client.removeListener('error', onError);
      client.release(broken);
    }
  }

  #translate(error: unknown, budget: number): unknown {
    if (isLeaseLost(error) || error instanceof TaskQueueError) {
      return error;
    }
    if (areTablesGone(error)) {
      // The database was made anew while this process was running: look again next time.
      this.#ready = undefined;
    }
    return toTaskQueueError(error, this.endpoint, budget);
  }

  #closedError(): OperationalError {
    return new OperationalError(
      `The broker ${this.endpoint.description} was closed in this process; no call can be made ` +
        'after that. Close it only after everything that uses it has ended.',
    );
  }
}

function destroy(
  client: { readonly connection?: { readonly stream?: unknown } } | undefined,
): void {
  (client?.connection?.stream as { destroy?(): void } | undefined)?.destroy?.();
}

async function settledWithin(promise: Promise<unknown>, time: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, time, false);
  });
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
