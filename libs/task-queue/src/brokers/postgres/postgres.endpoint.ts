import type { PostgresPoolConfig } from 'bullmq';

import { ImproperlyConfigured } from '../../errors/task-queue.errors.js';
import type { BrokerOptions } from '../broker-options.interface.js';

/** What is needed to reach one PostgreSQL database, as plain data that can be handed to a thread. */
export interface PostgresEndpoint {
  /** Options of `pg`'s client and pool; with the password. Never to be logged. */
  readonly client: PostgresPoolConfig;
  /** `postgresql://host:port/database`, without credentials. */
  readonly description: string;
  readonly user: string | undefined;
  readonly database: string | undefined;
  /** The schema that holds BullMQ's tables and ours. */
  readonly schema: string;
  /** Whether the tables are created and updated on first use. */
  readonly migrate: boolean;
  /** How long connecting may take, milliseconds. */
  readonly connectTimeout: number;
  /** How long a statement of a consumer may take, milliseconds. */
  readonly statementTimeout: number;
}

type EndpointSource = Pick<BrokerOptions, 'url' | 'ssl' | 'transportOptions' | 'connectionTimeout'>;

const DEFAULT_SCHEMA = 'bullmq';
const DEFAULT_POOL_SIZE = 10;
/** Milliseconds. */
const DEFAULT_STATEMENT_TIMEOUT = 30_000;
/** For `socket_timeout: null`; the longest that Node's timers and PostgreSQL take. */
const NO_TIMEOUT = 2 ** 31 - 1;
/** Connections that were idle for so long are given back, milliseconds. */
const IDLE_TIMEOUT = 30_000;

/** PostgreSQL's own limit on names is 63 bytes. */
const SCHEMA_NAME = /^[A-Za-z_][A-Za-z0-9_$]{0,62}$/;

/** Read committed: the functions count on seeing what was committed while they waited. */
const SESSION_OPTIONS = '-c default_transaction_isolation=read\\ committed';

/**
 * Reads `postgresql://user:password@host:port/database?sslmode=...` and the transport options
 * `schema` (default `bullmq`), `pool_size` (default 10 connections), `migrate` (default true),
 * `socket_timeout` (seconds, default 30; `null`: no limit) and `socket_connect_timeout` (seconds,
 * default `broker_connection_timeout`).
 *
 * @throws ImproperlyConfigured when something cannot be read; the message never shows a password.
 */
export function readPostgresEndpoint(source: EndpointSource): PostgresEndpoint {
  const url = parseUrl(source.url);
  const options = source.transportOptions;
  const schema = readSchema(options['schema']);
  const connectTimeout =
    milliseconds(options, 'socket_connect_timeout') ?? source.connectionTimeout;
  const statementTimeout = milliseconds(options, 'socket_timeout') ?? DEFAULT_STATEMENT_TIMEOUT;
  // In the URL it would take the place of what is set here, the search path included.
  const sessionOptions = [url.searchParams.get('options'), SESSION_OPTIONS]
    .filter(Boolean)
    .join(' ');
  url.searchParams.delete('options');
  const database = decodeURIComponent(url.pathname.slice(1)) || undefined;
  return {
    client: {
      application_name: 'nestjs-celery',
      connectionString: url.href,
      connectionTimeoutMillis: connectTimeout,
      idleTimeoutMillis: IDLE_TIMEOUT,
      keepAlive: true,
      max: readPoolSize(options['pool_size'] ?? options['poolSize']),
      options: sessionOptions,
      statement_timeout: statementTimeout,
      ...(source.ssl === undefined || source.ssl === false ? {} : { ssl: source.ssl }),
    },
    description: describe(url, database),
    user: decodeURIComponent(url.username) || undefined,
    database,
    schema,
    migrate: options['migrate'] !== false,
    connectTimeout,
    statementTimeout,
  };
}

function parseUrl(text: string): URL {
  try {
    const url = new URL(text);
    if (!/^postgres(ql)?:$/.test(url.protocol)) {
      throw new TypeError(url.protocol);
    }
    // The driver decodes these, and would fail at the first connection.
    [url.username, url.password, url.pathname, url.hostname].forEach(decodeURIComponent);
    return url;
  } catch {
    // Without the cause: Node's error carries the URL, password included.
    throw new ImproperlyConfigured(
      'The PostgreSQL URL cannot be read. Write broker_url as ' +
        'postgresql://user:password@host:5432/database, with special characters of the ' +
        'password percent-encoded.',
    );
  }
}

function describe(url: URL, database: string | undefined): string {
  const host = decodeURIComponent(url.hostname) || url.searchParams.get('host') || 'localhost';
  return `postgresql://${host}:${url.port || '5432'}${database === undefined ? '' : `/${database}`}`;
}

function readSchema(value: unknown): string {
  if (value === undefined || value === null) {
    return DEFAULT_SCHEMA;
  }
  if (typeof value === 'string' && SCHEMA_NAME.test(value)) {
    return value;
  }
  throw new ImproperlyConfigured(
    `broker_transport_options.schema is ${JSON.stringify(value)}, which is no plain name of a ` +
      'PostgreSQL schema: use letters, digits and underscores, at most 63 of them.',
  );
}

function readPoolSize(value: unknown): number {
  if (value === undefined || value === null) {
    return DEFAULT_POOL_SIZE;
  }
  if (Number.isInteger(value) && (value as number) >= 1) {
    return value as number;
  }
  throw new ImproperlyConfigured(
    `broker_transport_options.pool_size is ${JSON.stringify(value)}: it is a number of ` +
      'connections, 1 or more.',
  );
}

function milliseconds(
  options: Readonly<Record<string, unknown>>,
  name: string,
): number | undefined {
  const seconds = options[name];
  if (seconds === undefined) {
    return undefined;
  }
  if (seconds === null) {
    return NO_TIMEOUT;
  }
  if (typeof seconds === 'number' && seconds > 0) {
    return Math.min(NO_TIMEOUT, Math.ceil(seconds * 1000));
  }
  throw new ImproperlyConfigured(
    `broker_transport_options.${name} is ${JSON.stringify(seconds)}: it is a number of seconds ` +
      'above 0, or null for no limit.',
  );
}
