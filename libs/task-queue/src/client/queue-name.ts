import { reprValue } from '../messages/index.js';

/**
 * A queue name as a call may give it.
 *
 * @throws TypeError - It is not a string of 1 to 100 characters without `:`.
 */
export function checkQueueName(value: unknown): string {
  if (typeof value !== 'string' || value.trim() === '') {
    throw new TypeError(
      `The option 'queue' is the name of a queue, such as 'mail'; given was ${reprValue(value, 80)}.`,
    );
  }
  if (value.length > 100) {
    throw new TypeError(
      `The name of a queue has at most 100 characters; the one given has ${value.length}.`,
    );
  }
  if (value.includes(':')) {
    throw new TypeError(
      `The queue ${reprValue(value)} has a ':' in its name, which the store does not allow: ` +
        "write '.' or '-'.",
    );
  }
  return value;
}
