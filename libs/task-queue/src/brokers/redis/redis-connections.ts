import { ImproperlyConfigured, LeaseLostError } from '../../errors/task-queue.errors.js';
import {
  closeClient,
  createClient,
  toOperationalError,
  whenReady,
  type ClientPurpose,
  type RedisClient,
} from './redis-clients.js';
import type { RedisEndpoint } from './redis-endpoint.js';
import type { ScriptName } from './scripts/index.js';

export interface RedisConnectionsOptions {
  readonly endpoint: RedisEndpoint;
  /** Milliseconds. */
  readonly connectionTimeout: number;
  readonly scripts: Readonly<Record<ScriptName, string>>;
}

/** The connections of one broker, one for each purpose, opened at their first use. */
export class RedisConnections {
  private readonly clients = new Map<ClientPurpose, RedisClient>();
  /** Attempts to connect that are under way: however many callers wait, there is one. */
  private readonly opening = new Map<ClientPurpose, Promise<void>>();
  private closed = false;

  constructor(private readonly options: RedisConnectionsOptions) {}

  /** The connection, ready or not. */
  get(purpose: ClientPurpose): RedisClient {
    if (this.closed) {
      throw new Error('The broker is closed.');
    }
    let client = this.clients.get(purpose);
    if (!client) {
      const { endpoint, connectionTimeout, scripts } = this.options;
      client = createClient(endpoint, purpose, connectionTimeout, scripts);
      this.clients.set(purpose, client);
    }
    return client;
  }

  /** The connection, ready to be used. Rejects when it cannot be had in time. */
  async ready(purpose: ClientPurpose): Promise<RedisClient> {
    const client = this.get(purpose);
    if (client.status !== 'ready') {
      let opening = this.opening.get(purpose);
      if (!opening) {
        opening = whenReady(client, this.options.connectionTimeout).finally(() =>
          this.opening.delete(purpose),
        );
        this.opening.set(purpose, opening);
      }
      await opening;
    }
    return client;
  }

  /** A producer's command: on a connection that can be used now, or an OperationalError. */
  run<T>(doing: string, command: (client: RedisClient) => Promise<T>): Promise<T> {
    return this.guard(doing, async () => command(await this.ready('producer')));
  }

  /** Turns the driver's errors into OperationalError; `doing` begins the sentence. */
  async guard<T>(doing: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      if (error instanceof LeaseLostError || error instanceof ImproperlyConfigured) {
        throw error;
      }
      throw toOperationalError(error, this.options.endpoint, doing);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.clients.values()].map((client) => closeClient(client)));
    this.clients.clear();
  }
}
