import { ImproperlyConfigured, OperationalError } from '../../errors/task-queue.errors.js';
import type { TaskQueueError } from '../../errors/task-queue.errors.js';
import type { PostgresEndpoint } from './postgres.endpoint.js';

type Target = Pick<
  PostgresEndpoint,
  'description' | 'user' | 'database' | 'schema' | 'connectTimeout'
>;

/** Raised by BullMQ's functions and ours when the lease is not held. */
const LEASE_LOST = 'BM001';
const DEADLOCK = new Set(['40P01', '40001']);
const TABLES_GONE = new Set(['42P01', '3F000', '42883']);

/** `pg` gives its timeouts no code. */
const QUERY_TIMEOUT = 'Query read timeout';
const CONNECT_TIMEOUTS = new Set<unknown>([
  'timeout exceeded when trying to connect',
  'timeout expired',
  'Connection terminated due to connection timeout',
]);

/** The SQLSTATE or the error code of Node that `error` carries. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Whether a function refused because the lease is not held. */
export function isLeaseLost(error: unknown): boolean {
  return errorCode(error) === LEASE_LOST;
}

/** Whether the same statement may succeed when it is sent again at once. */
export function isDeadlock(error: unknown): boolean {
  return DEADLOCK.has(errorCode(error) ?? '');
}

/** Whether the tables or functions are not there, although they were set up. */
export function areTablesGone(error: unknown): boolean {
  return TABLES_GONE.has(errorCode(error) ?? '');
}

/** Whether the store refused what it was given, so that other data may be taken. */
export function isDataRefused(error: unknown): boolean {
  const cause = (error as { cause?: unknown } | null | undefined)?.cause ?? error;
  return /^2[23]/.test(errorCode(cause) ?? '');
}

/**
 * What the driver's error means for the user, with the driver's error as its cause.
 *
 * @param budget - How long the call was allowed to take, milliseconds.
 */
export function toTaskQueueError(error: unknown, target: Target, budget: number): TaskQueueError {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  if (message === QUERY_TIMEOUT || CONNECT_TIMEOUTS.has(message)) {
    const allowed = message === QUERY_TIMEOUT ? budget : Math.min(budget, target.connectTimeout);
    return timedOut(target, allowed, error);
  }
  const code = errorCode(error) ?? '';
  if (areTablesGone(error) || isMissingSchema(error)) {
    return missingTables(target, error);
  }
  const explain = EXPLANATIONS[code] ?? explanationOfClass(code, messageOf(error));
  return new OperationalError(explain(target, messageOf(error)), { cause: error });
}

/** The tables are not there and may not be made. */
export function missingTables(target: Target, cause?: unknown): ImproperlyConfigured {
  return new ImproperlyConfigured(
    `PostgreSQL at ${target.description} has no up-to-date tasks tables in the schema ` +
      `'${target.schema}'. Start one process with broker_transport_options.migrate left at true, ` +
      'under a user that may create tables; after that, migrate may be false again.',
    { cause },
  );
}

/** The call took longer than it was allowed to. */
export function timedOut(target: Target, budget: number, cause?: unknown): OperationalError {
  return new OperationalError(
    `PostgreSQL at ${target.description} did not answer within ${budget / 1000} s. Check that ` +
      'the server named in broker_url is up, can be reached from here, and is not overloaded.',
    cause === undefined ? undefined : { cause },
  );
}

type Explain = (target: Target, message: string) => string;

const LOGIN_REFUSED: Explain = ({ description, user }) =>
  `PostgreSQL at ${description} refused the user or the password` +
  `${user === undefined ? '' : ` of '${user}'`}. Correct them in broker_url.`;

const UNREACHABLE: Explain = ({ description }, message) =>
  `PostgreSQL at ${description} cannot be reached (${message}). Check that the server named in ` +
  'broker_url is up and can be reached from here.';

const REFUSED: Explain = ({ description }, message) =>
  `PostgreSQL at ${description} refused the command: ${message}.`;

const EXPLANATIONS: Readonly<Record<string, Explain>> = {
  '28000': (target, message) => `${LOGIN_REFUSED(target, message)} The server says: ${message}.`,
  '28P01': LOGIN_REFUSED,
  '3D000': ({ description, database }) =>
    `PostgreSQL at ${description} has no database '${database ?? ''}'. Create it, or correct the ` +
    'name at the end of broker_url.',
  '42501': ({ description, schema }, message) =>
    `PostgreSQL at ${description} does not allow this user to do that (${message}). Grant the ` +
    `user its rights on the schema '${schema}'; to create the tables it needs CREATE on the ` +
    'database.',
  '53300': ({ description }) =>
    `PostgreSQL at ${description} has no connection left. Lower broker_transport_options.pool_size ` +
    "or raise the server's max_connections.",
  '57014': ({ description }) =>
    `PostgreSQL at ${description} gave the command up because it took too long. See the server's ` +
    'load, or raise broker_transport_options.socket_timeout.',
  '25006': ({ description }) =>
    `PostgreSQL at ${description} is read-only, as a replica is. Name the primary server in ` +
    'broker_url.',
};

function explanationOfClass(code: string, message: string): Explain {
  if (/^SASL|password must be a string/i.test(message)) {
    return LOGIN_REFUSED;
  }
  // A SQLSTATE begins with a digit or is one of BullMQ's or PL/pgSQL's (P0001, XX000); the
  // classes 08 and 57P say that the connection is gone. Codes of Node begin with E.
  return /^(?!08|57P|E)[0-9A-Z]{5}$/.test(code) ? REFUSED : UNREACHABLE;
}

function isMissingSchema(error: unknown): boolean {
  return (error as { name?: unknown } | null | undefined)?.name === 'SchemaMigrationRequiredError';
}

function messageOf(error: unknown): string {
  const { message, errors } = error as { message?: unknown; errors?: readonly unknown[] };
  if (typeof message === 'string' && message !== '') {
    return message;
  }
  // Node's error for a host with several addresses has its text in the errors it is made of.
  return errors?.length ? messageOf(errors[0]) : (errorCode(error) ?? String(error));
}
