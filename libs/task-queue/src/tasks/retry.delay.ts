import { types } from 'node:util';
import { isError } from '../errors/task-queue.errors.js';
import type { ErrorClass } from '../messages/error-classes.js';
import type { SharedTaskOptions } from './task-options.interface.js';
import type { TaskRequest } from './task-request.js';

/** A random number from 0 to below 1, as `Math.random`. */
export type Random = () => number;

/** The retry defaults of Celery. */
const DEFAULT_BACKOFF_MAX = 600;

/**
 * When a task is retried by itself for what it threw: seconds, a point in time, or `default` for
 * the task's `defaultRetryDelay`.
 *
 * @returns `undefined` when it is not.
 * @throws What `retryDelay` throws, and a TypeError when it gives something of another kind.
 */
export function autoretryDelay(
  options: Readonly<SharedTaskOptions>,
  thrown: unknown,
  request: TaskRequest,
  random: Random = Math.random,
): number | Date | 'default' | undefined {
  if (isOneOf(thrown, options.dontAutoretryFor)) return undefined;
  const ruled = options.retryDelay?.(thrown, request.retries, request);
  if (ruled === false) return undefined;
  if (ruled !== undefined && ruled !== null) return checkDelay(ruled);
  if (!isOneOf(thrown, options.autoretryFor)) return undefined;
  return options.retryBackoff ? backoffDelay(options, request.retries, random) : 'default';
}

/**
 * Seconds before a retry with backoff, as Celery computes them: `factor * 2 ** retries`, at most
 * the maximum; with jitter a random whole number from 0 to that.
 */
export function backoffDelay(
  options: Pick<SharedTaskOptions, 'retryBackoff' | 'retryBackoffMax' | 'retryJitter'>,
  retries: number,
  random: Random = Math.random,
): number {
  const factor = Math.max(1, Number(options.retryBackoff ?? 1));
  const delay = Math.min(options.retryBackoffMax ?? DEFAULT_BACKOFF_MAX, factor * 2 ** retries);
  return (options.retryJitter ?? true) ? Math.floor(random() * (delay + 1)) : delay;
}

function isOneOf(thrown: unknown, classes: readonly ErrorClass[] | undefined): boolean {
  // An error of Node's core may be of another realm, where `instanceof Error` does not hold.
  return classes?.some((cls) => (cls === Error ? isError(thrown) : thrown instanceof cls)) ?? false;
}

function checkDelay(given: unknown): number | Date {
  if (typeof given === 'number' && Number.isFinite(given)) return Math.max(0, given);
  if (types.isDate(given) && !Number.isNaN(given.getTime())) return given;
  throw new TypeError(
    'retryDelay must return seconds, a Date, false or undefined, and it returned something else. ' +
      'It cannot be async.',
  );
}
