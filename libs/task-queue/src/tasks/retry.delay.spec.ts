import { describe, expect, it } from '@jest/globals';
import { autoretryDelay, backoffDelay } from './retry.delay.js';
import type { SharedTaskOptions } from './task-options.interface.js';
import { TaskRequest } from './task-request.js';

class HttpError extends Error {
  constructor(
    readonly status: number,
    readonly retryAfter?: number | Date,
  ) {
    super(`HTTP ${status}`);
  }
}
class NotFound extends HttpError {}

function requestOf(retries = 0): TaskRequest {
  return new TaskRequest({
    message: { id: 'id-1', task: 'task', headers: { retries } },
    args: [],
    kwargs: {},
    hostname: 'celery@host',
    queue: 'celery',
  });
}

function delay(options: SharedTaskOptions, thrown: unknown, retries = 0): unknown {
  return autoretryDelay(options, thrown, requestOf(retries), () => 0.5);
}

describe('backoffDelay', () => {
  it('doubles, up to the maximum', () => {
    const options = { retryBackoff: true, retryJitter: false } as const;
    expect([0, 1, 2, 3, 9, 10, 5000].map((n) => backoffDelay(options, n))).toEqual([
      1, 2, 4, 8, 512, 600, 600,
    ]);
    const slow = { retryBackoff: 5, retryBackoffMax: 30, retryJitter: false };
    expect([0, 1, 2, 3].map((n) => backoffDelay(slow, n))).toEqual([5, 10, 20, 30]);
    expect(backoffDelay({ ...slow, retryBackoffMax: 0 }, 3)).toBe(0);
  });

  it('draws a whole number from 0 to the delay, both included', () => {
    const draw = (random: number): number => backoffDelay({ retryBackoff: 8 }, 0, () => random);
    expect([draw(0), draw(0.5), draw(1 - 1e-12)]).toEqual([0, 4, 8]);
    const drawn = Array.from({ length: 400 }, () => backoffDelay({ retryBackoff: 4 }, 0));
    expect(new Set(drawn)).toEqual(new Set([0, 1, 2, 3, 4]));
  });
});

describe('autoretryDelay', () => {
  it('retries the errors listed and their subclasses, and no others', () => {
    const options = { autoretryFor: [HttpError] };
    expect(delay(options, new HttpError(503))).toBe('default');
    expect(delay(options, new NotFound(404))).toBe('default');
    expect(delay(options, new Error('other'))).toBeUndefined();
    expect(delay(options, 'text')).toBeUndefined();
    expect(delay({}, new Error('any'))).toBeUndefined();
    expect(delay({ autoretryFor: [Error] }, new RangeError('any'))).toBe('default');
  });

  it('leaves out the exceptions, whatever else says', () => {
    const options = {
      autoretryFor: [HttpError],
      dontAutoretryFor: [NotFound],
      retryDelay: () => 1,
    };
    expect(delay(options, new NotFound(404))).toBeUndefined();
    expect(delay(options, new HttpError(503))).toBe(1);
  });

  it('goes by the backoff, which counts the retries so far', () => {
    const options = { autoretryFor: [Error], retryBackoff: 2, retryJitter: false };
    expect([0, 1, 2].map((retries) => delay(options, new Error('x'), retries))).toEqual([2, 4, 8]);
    expect(delay({ ...options, retryBackoff: 0 }, new Error('x'))).toBe('default');
    expect(delay({ ...options, retryJitter: true }, new Error('x'), 1)).toBe(2);
  });

  it('asks the rule first: seconds, a time, no retry, or no opinion', () => {
    const at = new Date('2030-01-01');
    const options: SharedTaskOptions = {
      autoretryFor: [Error],
      retryDelay: (error, retries, { id }) => {
        if (!(error instanceof HttpError)) return undefined;
        return error.status === 400 ? false : (error.retryAfter ?? retries + id.length);
      },
    };
    expect(delay(options, new HttpError(429, 7))).toBe(7);
    expect(delay(options, new HttpError(429, at))).toBe(at);
    expect(delay(options, new HttpError(503), 2)).toBe(6);
    expect(delay(options, new HttpError(429, -5))).toBe(0);
    expect(delay(options, new HttpError(400))).toBeUndefined();
    expect(delay(options, new Error('other'))).toBe('default');
    expect(delay({ ...options, autoretryFor: [] }, new HttpError(429, 7))).toBe(7);
  });

  it.each([Number.NaN, Infinity, '3', true, new Date(Number.NaN), Promise.resolve(3)])(
    'refuses the answer %p of a rule',
    (answer) => {
      expect(() => delay({ retryDelay: () => answer as number }, new Error('x'))).toThrow(
        'retryDelay must return seconds',
      );
    },
  );
});
