import { inspect } from 'node:util';

/** A default as it is written in code. */
export function defaultText(value: unknown): string {
  return inspect(value, { breakLength: Infinity, depth: 4, numericSeparator: false });
}
