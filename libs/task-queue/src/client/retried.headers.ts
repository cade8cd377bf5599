import type { Retry } from '../errors/task-queue.errors.js';
import { parseIsoDate, type TaskHeaders } from '../messages/index.js';
import { isoWithOffset } from '../results/index.js';

/** The headers of the next run of a task, and its times in milliseconds since the epoch. */
export interface RetriedHeaders {
  readonly headers: TaskHeaders;
  /** Absent: at once. */
  readonly dueAt?: number;
  /** Absent: never. */
  readonly expiresAt?: number;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * The headers of a retried task: all that the call gave is kept, the absolute `expires` too, but
 * for what the retry changes.
 *
 * @param headers - Those of the run that ends.
 * @param now - Milliseconds since the epoch.
 */
export function retriedHeaders(
  headers: TaskHeaders,
  { changes, when }: Retry,
  now: number,
): RetriedHeaders {
  const { eta: _, ...kept } = headers;
  const next: Writable<TaskHeaders> = { ...kept, retries: (headers.retries ?? 0) + 1 };
  const dueAt = typeof when === 'number' ? now + when * 1000 : (when?.getTime() ?? now);
  const expiresAt = expiryOf(changes.expires, headers.expires, now);
  if (dueAt > now) next.eta = isoWithOffset(dueAt);
  if (expiresAt !== undefined) next.expires = isoWithOffset(expiresAt);
  if (changes.priority !== undefined) next.priority = changes.priority;
  if (changes.headers) next.headers = { ...headers.headers, ...changes.headers };
  if (changes.shadow !== undefined) next.shadow = changes.shadow;
  if (changes.ignoreResult !== undefined) next.ignore_result = changes.ignoreResult;
  // What the logs were to show of the old arguments says nothing of new ones.
  if (changes.args) delete next.argsrepr;
  if (changes.kwargs) delete next.kwargsrepr;
  if (changes.argsRepr !== undefined) next.argsrepr = changes.argsRepr;
  if (changes.kwargsRepr !== undefined) next.kwargsrepr = changes.kwargsRepr;
  return {
    headers: next,
    ...(dueAt > now && { dueAt: Math.round(dueAt) }),
    ...(expiresAt !== undefined && { expiresAt }),
  };
}

function expiryOf(
  changed: number | Date | undefined,
  before: string | null | undefined,
  now: number,
): number | undefined {
  if (typeof changed === 'number') return Math.round(now + changed * 1000);
  return changed?.getTime() ?? (before ? parseIsoDate(before)?.getTime() : undefined);
}
