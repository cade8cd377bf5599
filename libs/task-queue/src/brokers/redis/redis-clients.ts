import { Cluster, Redis } from 'ioredis';
import { OperationalError } from '../../errors/task-queue.errors.js';
import { describeEndpoint, type RedisEndpoint } from './redis-endpoint.js';
import type { ScriptName } from './scripts/index.js';

type ScriptCall = (keyCount: number, ...keysAndArgs: (string | number | Buffer)[]) => Promise<any>;

/** A connection with our scripts as commands. */
export type RedisClient = (Redis | Cluster) & Readonly<Record<ScriptName, ScriptCall>>;

/**
 * What a connection is for:
 * - `producer`: fails fast. Nothing is queued while the store is away, nothing is sent twice.
 * - `consumer`: waits for the store to come back; a command cut off on its way fails.
 * - `blocking`: like a consumer, and blocks in BZPOPMIN.
 * - `subscriber`: receives notifications.
 */
export type ClientPurpose = 'producer' | 'consumer' | 'blocking' | 'subscriber';

/** A consumer's connection that is silent for so long is taken for dead, milliseconds. */
const CONSUMER_COMMAND_TIMEOUT = 30_000;

/** Opens no connection yet; `whenReady` does. */
export function createClient(
  endpoint: RedisEndpoint,
  purpose: ClientPurpose,
  connectionTimeout: number,
  scripts: Readonly<Record<ScriptName, string>>,
): RedisClient {
  const failFast = purpose === 'producer';
  const { commandTimeout, ...connectOptions } = endpoint.options;
  const timeouts: Partial<Record<ClientPurpose, number>> = {
    producer: commandTimeout ?? connectionTimeout,
    consumer: commandTimeout ?? CONSUMER_COMMAND_TIMEOUT,
  };
  const options = {
    ...connectOptions,
    lazyConnect: true,
    connectTimeout: endpoint.options.connectTimeout ?? connectionTimeout,
    retryStrategy: (times: number): number => Math.min(50 * 2 ** Math.min(times, 6), 2000),
    // 0: what was on its way when the connection broke is rejected at once. ioredis would
    // otherwise forget it, or send it again.
    maxRetriesPerRequest: purpose === 'subscriber' ? null : 0,
    enableOfflineQueue: !failFast,
    disconnectTimeout: 200,
    // A command that was cut off is tried again by us, who know whether that is safe.
    autoResendUnfulfilledCommands: purpose === 'subscriber',
    ...(timeouts[purpose] === undefined ? {} : { commandTimeout: timeouts[purpose] }),
  };
  const client =
    endpoint.kind === 'cluster'
      ? new Cluster([...endpoint.nodes], {
          redisOptions: { ...options, lazyConnect: false },
          lazyConnect: true,
          enableOfflineQueue: options.enableOfflineQueue,
          clusterRetryStrategy: options.retryStrategy,
        })
      : new Redis(options);
  // Errors show where they matter, in the commands; an unheard 'error' event ends the process.
  client.on('error', () => undefined);
  for (const [name, lua] of Object.entries(scripts)) {
    client.defineCommand(name, { lua });
  }
  return client as RedisClient;
}

/**
 * Resolves when the connection can be used; rejects with the reason as soon as one attempt to
 * connect fails, or after `timeout` milliseconds.
 */
export async function whenReady(client: RedisClient, timeout: number): Promise<void> {
  if (client.status === 'ready') {
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const settle = (error?: Error): void => {
      clearTimeout(timer);
      client.off('ready', onReady);
      client.off('error', settle);
      client.off('end', onEnd);
      if (error) {
        reject(error);
      } else {
        resolve();
      }
    };
    const onReady = (): void => settle();
    const onEnd = (): void => settle(new Error('The connection is closed.'));
    const timer = setTimeout(() => settle(new Error(`no answer within ${timeout} ms`)), timeout);
    client.on('ready', onReady);
    client.on('error', settle);
    client.on('end', onEnd);
    if (client.status === 'wait') {
      client.connect().catch((error: Error) => settle(error));
    } else if (client.status === 'end') {
      onEnd();
    }
  });
}

/** The driver's error as one sentence for the reader. */
export function toOperationalError(
  error: unknown,
  endpoint: RedisEndpoint,
  doing: string,
): OperationalError {
  if (error instanceof OperationalError) {
    return error;
  }
  const where = describeEndpoint(endpoint);
  const text = error instanceof Error ? error.message || error.name : String(error);
  return new OperationalError(`${doing} failed: ${explain(text, where)}`, { cause: error });
}

function explain(text: string, where: string): string {
  if (/WRONGPASS|invalid password|invalid username-password/i.test(text)) {
    return `the Redis at ${where} refused the user name or the password. Check the login in the URL.`;
  }
  if (/NOAUTH|Authentication required/i.test(text)) {
    return `the Redis at ${where} asks for a password. Write it into the URL, as redis://:password@host.`;
  }
  if (/NOPERM/i.test(text)) {
    return `the user of the Redis at ${where} may not do this (${text}). Give it the permission.`;
  }
  if (/OOM command not allowed/i.test(text)) {
    return `the Redis at ${where} is out of memory. Free some, or raise 'maxmemory'.`;
  }
  if (
    /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|ECONNRESET|no answer|enableOfflineQueue|Connection is closed|Command timed out|max retries per request/i.test(
      text,
    )
  ) {
    return `the Redis at ${where} cannot be reached (${text}). Check that it runs and that the URL is right.`;
  }
  return `the Redis at ${where} answered: ${text}`;
}

/** Closes without waiting for commands that will never be answered. */
export async function closeClient(client: RedisClient, deadline = 500): Promise<void> {
  if (client.status === 'ready') {
    const quit = client.quit().catch(() => undefined);
    await Promise.race([quit, new Promise((resolve) => setTimeout(resolve, deadline).unref())]);
  }
  client.disconnect();
}
