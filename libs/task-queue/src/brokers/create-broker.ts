import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import type { Broker, ResultStore } from './broker.port.js';
import type { BrokerOptions } from './broker-options.interface.js';

/** A result store that is not the broker's, and the end of its connections. */
export interface OpenedResultStore {
  readonly store: ResultStore;
  readonly description: string;
  close(): Promise<void>;
}

function schemeOf(url: string): string {
  return /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase() ?? '';
}

/** Whether a URL is that of a Redis, in any of its forms. */
function isRedis(url: string): boolean {
  return /^(rediss?|valkeys?|sentinels?)(\+cluster)?$/.test(schemeOf(url));
}

/**
 * Makes the broker that the scheme of the URL names. A driver, and the package it needs, is
 * loaded only when it is asked for. Opens no connection.
 *
 * @throws ImproperlyConfigured when no driver has this scheme, or its package is not installed.
 */
export async function createBroker(options: BrokerOptions): Promise<Broker> {
  const scheme = schemeOf(options.url);
  if (isRedis(options.url)) {
    const { RedisBroker } = await load('ioredis', scheme, () => import('./redis/redis.broker.js'));
    return new RedisBroker(options);
  }
  if (scheme === 'postgresql' || scheme === 'postgres') {
    const { PostgresBroker } = await load(
      'pg',
      scheme,
      () => import('./postgres/postgres.broker.js'),
    );
    return new PostgresBroker(options);
  }
  if (scheme === 'memory') {
    const { MemoryBroker } = await import('./memory/memory.broker.js');
    return new MemoryBroker({
      clock: options.clock,
      leaseDuration: options.leaseDuration,
      ...(options.transportOptions['store'] === undefined
        ? {}
        : { store: options.transportOptions['store'] as never }),
    });
  }
  throw new ImproperlyConfigured(
    `No broker has the scheme '${scheme}://'. Use redis://, postgresql:// or memory://.`,
  );
}

/**
 * The result store of a Redis that is not the broker's, or `undefined` when the broker keeps the
 * results itself: on the broker's own server one step records outcome and result together.
 */
export async function openRedisResults(
  options: BrokerOptions & { readonly resultBackendUrl: string },
): Promise<OpenedResultStore | undefined> {
  const { RedisBroker, keepsResultsOf } = await load(
    'ioredis',
    schemeOf(options.resultBackendUrl),
    () => import('./redis/redis.broker.js'),
  );
  if (isRedis(options.url) && keepsResultsOf(options)) {
    return undefined;
  }
  // A second broker of which only the results are used: it opens one connection.
  const { resultBackendUrl, resultTransportOptions = {}, ...rest } = options;
  const own = new RedisBroker({
    ...rest,
    url: resultBackendUrl,
    transportOptions: resultTransportOptions,
  });
  return { store: own.results, description: own.description, close: () => own.close() };
}

async function load<T>(
  packageName: string,
  scheme: string,
  importer: () => Promise<T>,
): Promise<T> {
  try {
    return await importer();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') {
      throw new ImproperlyConfigured(
        `A ${scheme}:// URL needs the package '${packageName}'. Install it: npm install ${packageName}`,
        { cause: error },
      );
    }
    throw error;
  }
}
