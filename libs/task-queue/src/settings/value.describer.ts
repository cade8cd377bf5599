import { maskUrl } from './url.mask.js';

const LONGEST = 80;

/**
 * A value for an error message: short, and without secrets. Of `secret` values and of
 * everything that has parts only the kind is told.
 */
export function describeValue(value: unknown, secret = false): string {
  if (value === null || value === undefined || typeof value === 'boolean') {
    return String(value);
  }
  if (typeof value === 'string') {
    if (secret) {
      return '(a string)';
    }
    const shown = maskUrl(value);
    return shown.length > LONGEST ? `'${shown.slice(0, LONGEST)}...'` : `'${shown}'`;
  }
  if (typeof value === 'number' || typeof value === 'bigint') {
    return secret ? '(a number)' : String(value);
  }
  if (Array.isArray(value)) {
    return '(an array)';
  }
  return typeof value === 'object' ? '(an object)' : `(a ${typeof value})`;
}
