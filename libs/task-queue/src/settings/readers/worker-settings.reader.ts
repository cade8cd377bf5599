import type { Reading } from '../setting-definition.interface.js';

/** A class of errors. */
export type ErrorClass = abstract new (...args: any[]) => Error;

const POOL_ADVICE: Readonly<Record<string, string>> = {
  prefork: 'start more worker processes to use more cores',
  processes: 'start more worker processes to use more cores',
  multiprocessing: 'start more worker processes to use more cores',
  threads: 'start more worker processes to use more cores',
  solo: "worker_pool 'async' with worker_concurrency 1 runs one task at a time",
  custom: 'a pool of your own cannot be plugged in',
};

/** Python's pools of green threads: what they add is how JavaScript runs anyway. */
export const ASYNC_POOL_NAMES: ReadonlySet<string> = new Set(['gevent', 'eventlet']);

/** Reads `worker_pool`. */
export function readPool(raw: unknown): Reading {
  const name = typeof raw === 'string' ? raw.trim().toLowerCase() : '';
  if (name === 'async' || ASYNC_POOL_NAMES.has(name)) {
    return { value: 'async' };
  }
  const advice = Object.hasOwn(POOL_ADVICE, name) ? POOL_ADVICE[name]! : undefined;
  return {
    problem:
      advice === undefined
        ? "is not a pool: write 'async', the pool of this version."
        : `asks for a pool that is not part of this version, which has only 'async' (many ` +
          `tasks in one process, on its event loop): leave it out or write 'async'; ${advice}.`,
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
