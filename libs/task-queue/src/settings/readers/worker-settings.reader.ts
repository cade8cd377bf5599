import type { Reading } from '../setting-definition.interface.js';

/** A class of errors. */
export type ErrorClass = abstract new (...args: any[]) => Error;

/** Celery's names of the pools, old ones included, and what they are here. */
const POOLS: Readonly<Record<string, string>> = {
  async: 'async',
  prefork: 'prefork',
  processes: 'prefork',
  multiprocessing: 'prefork',
  threads: 'threads',
  solo: 'solo',
};

/** Python's pools of green threads: what they add is how JavaScript runs anyway. */
export const ASYNC_POOL_NAMES: ReadonlySet<string> = new Set(['gevent', 'eventlet']);

/** Reads `worker_pool`. */
export function readPool(raw: unknown): Reading {
  const name = typeof raw === 'string' ? raw.trim().toLowerCase() : '';
  if (ASYNC_POOL_NAMES.has(name)) {
    return { value: 'async' };
  }
  return Object.hasOwn(POOLS, name)
    ? { value: POOLS[name] }
    : {
        problem:
          "is not a pool: write 'async', 'prefork', 'threads' or 'solo'. A pool of your own " +
          'cannot be plugged in.',
      };
}

/** Reads `worker_log_format`. */
export function readLogFormat(raw: unknown): Reading {
  const text = typeof raw === 'string' ? raw.trim() : '';
  const name = text.toLowerCase();
  if (name === 'nest' || name === 'celery' || name === 'json') {
    return { value: name };
  }
  return text.includes('%(message)s')
    ? { value: text }
    : {
        problem:
          "is not a log format: write 'nest', 'celery', 'json', or a format such as " +
          "'[%(asctime)s: %(levelname)s/%(processName)s] %(message)s'.",
      };
}

/** Reads the name of a time zone. */
export function readTimeZone(raw: unknown): Reading {
  const name = typeof raw === 'string' ? raw.trim() : '';
  return isTimeZone(name)
    ? { value: name }
    : { problem: "is not an IANA time zone: write for example 'UTC' or 'Asia/Shanghai'." };
}

function isTimeZone(name: string): boolean {
  // Offsets such as +08:00 are understood by newer engines only, and know no daylight saving.
  if (!/^[A-Za-z]/.test(name)) {
    return false;
  }
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== '';
  } catch {
    return false;
  }
}

/** Reads a list of error classes. */
export function readErrorClasses(raw: unknown): Reading {
  const isClass = (item: unknown): boolean => typeof item === 'function' && 'prototype' in item;
  return Array.isArray(raw) && raw.every(isClass)
    ? { value: Object.freeze([...(raw as unknown[])]) }
    : {
        problem:
          'is not a list of error classes: set it in code, for example ' +
          'resultKnownErrors: [PaymentError].',
      };
}
