import { reprValue } from '../messages/index.js';
import { nearestName } from '../settings/nearest-name.util.js';
import type { RetryPolicy } from './apply-options.interface.js';

const KEYS = ['maxRetries', 'intervalStart', 'intervalStep', 'intervalMax'] as const;

/**
 * A retry policy as a call may give it.
 *
 * @throws TypeError - A key is unknown, or its value is not a number from 0.
 */
export function checkRetryPolicy(value: unknown): Partial<RetryPolicy> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(
      `The option 'retryPolicy' is an object such as { maxRetries: 3 }; given was ` +
        `${reprValue(value, 80)}.`,
    );
  }
  const policy: Partial<Record<keyof RetryPolicy, number | null>> = {};
  for (const [key, item] of Object.entries(value) as [string, unknown][]) {
    if (!isKey(key)) {
      const nearest = nearestName(key, KEYS);
      throw new TypeError(
        `There is no '${key}' in a retryPolicy. ` +
          (nearest ? `Did you mean '${nearest}'?` : `It has: ${KEYS.join(', ')}.`),
      );
    }
    if (item === undefined) continue;
    const isForEver = item === null && key === 'maxRetries';
    if (!isForEver && !(typeof item === 'number' && item >= 0)) {
      throw new TypeError(
        `'${key}' of a retryPolicy is a number from 0; given was ${reprValue(item, 80)}.`,
      );
    }
    policy[key] = item;
  }
  return policy as Partial<RetryPolicy>;
}

/**
 * Milliseconds to pause before a retry.
 *
 * @param retry - 0 for the first.
 * @returns `undefined` when there are to be no more.
 */
export function pauseBefore(policy: RetryPolicy, retry: number): number | undefined {
  const { intervalMax, intervalStart, intervalStep, maxRetries } = policy;
  if (maxRetries !== null && retry >= maxRetries) return undefined;
  return Math.min(intervalStart + retry * intervalStep, intervalMax) * 1000;
}

function isKey(key: string): key is keyof RetryPolicy {
  return (KEYS as readonly string[]).includes(key);
}
