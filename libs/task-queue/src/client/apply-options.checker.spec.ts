import { describe, expect, it } from '@jest/globals';

import { checkArgs, checkKwargs, checkOptions } from './apply-options.checker.js';

const NOW = Date.UTC(2026, 0, 1);

describe('checkOptions', () => {
  it('makes nothing of nothing', () => {
    expect(checkOptions(undefined, NOW)).toEqual({});
    expect(checkOptions(null, NOW)).toEqual({});
    expect(checkOptions({}, NOW)).toEqual({});
    expect(checkOptions({ countdown: undefined, eta: null, queue: undefined }, NOW)).toEqual({});
  });

  it.each([
    [{ countdown: 10 }, NOW + 10_000],
    [{ countdown: 0.25 }, NOW + 250],
    [{ countdown: '15m' }, NOW + 900_000],
    [{ countdown: 0 }, undefined],
    [{ countdown: -5 }, undefined],
    [{ eta: new Date(NOW + 5) }, NOW + 5],
    [{ eta: new Date(NOW - 5) }, NOW - 5],
    [{ eta: '2030-01-01T12:00:00+08:00' }, Date.UTC(2030, 0, 1, 4)],
    [{ eta: '2030-01-01T12:00:00' }, Date.UTC(2030, 0, 1, 12)],
    [{ countdown: 10, eta: new Date(NOW + 5) }, NOW + 10_000],
    [{ eta: new Date(NOW + 5), countdown: 10 }, NOW + 10_000],
    [{ eta: new Date(NOW + 5), countdown: 0 }, undefined],
    [{ countdown: null, eta: new Date(NOW + 5) }, NOW + 5],
  ])('%j is due at %p', (options, dueAt) => {
    expect(checkOptions(options, NOW).dueAt).toBe(dueAt);
  });

  it.each([
    [60, NOW + 60_000],
    ['2h', NOW + 7_200_000],
    [new Date(NOW + 7), NOW + 7],
    ['2030-01-01', Date.UTC(2030, 0, 1)],
    [0, NOW],
    [-1, NOW - 1_000],
  ])('expires: %p', (expires, expiresAt) => {
    expect(checkOptions({ expires }, NOW)).toEqual({ expiresAt });
  });

  it('keeps the others as they are', () => {
    const options = {
      queue: 'mail',
      taskId: 'order-7',
      headers: { 'x-my': 1 },
      ignoreResult: false,
      retry: false,
      retryPolicy: { maxRetries: null, intervalStep: 1 },
      serializer: 'json',
      shadow: 's',
      argsRepr: '(...)',
      kwargsRepr: '{...}',
      rootId: 'root',
      parentId: 'parent',
    };
    expect(checkOptions({ ...options, kwargs: { a: 1 } }, NOW)).toEqual(options);
    expect(checkOptions({ throw: true }, NOW, ['throw'])).toEqual({ throw: true });
    expect(checkOptions({ args: [1] }, NOW, ['args'])).toEqual({});
  });

  it.each<[unknown, RegExp]>([
    [5, /options of a call are an object/],
    [[], /options of a call are an object/],
    [{ countdown: Number.NaN }, /'countdown' is a number of seconds or .* given was NaN/],
    [{ countdown: Number.POSITIVE_INFINITY }, /'countdown' is a number/],
    [{ countdown: 'soon' }, /'countdown' is a number of seconds .* given was 'soon'/],
    [{ countdown: 1e15 }, /further away than a date can say/],
    [{ eta: new Date(Number.NaN) }, /'eta' is an invalid Date/],
    [{ eta: 5 }, /'eta' is a Date, or ISO 8601/],
    [{ eta: '2030-02-30' }, /'eta' is a Date, or ISO 8601/],
    [{ expires: 'never' }, /'expires' is a number of seconds .* Date/],
    [{ expires: new Date(Number.NaN) }, /'expires' is an invalid Date/],
    [{ expires: Number.NaN }, /'expires' is/],
    [{ queue: '' }, /'queue' is the name of a queue/],
    [{ queue: 5 }, /'queue' is the name of a queue/],
    [{ queue: 'a:b' }, /has a ':' in its name/],
    [{ queue: 'q'.repeat(101) }, /at most 100 characters; the one given has 101/],
    [{ taskId: '' }, /'taskId' is empty/],
    [{ taskId: 'a:b' }, /'taskId' has a ':'/],
    [{ taskId: '42' }, /'taskId' is an integer.*'order-42'/],
    [{ taskId: '-42' }, /'taskId' is an integer/],
    [{ taskId: '\u20ac'.repeat(67) }, /longer than the 200 bytes/],
    [{ taskId: 42 }, /'taskId' is a string; given was 42/],
    [{ headers: 'x' }, /'headers' is a plain object/],
    [{ kwargs: [], headers: [] }, /'headers' is a plain object/],
    [{ ignoreResult: 'yes' }, /'ignoreResult' is true or false/],
    [{ retry: 1 }, /'retry' is true or false/],
    [{ retryPolicy: 3 }, /'retryPolicy' is an object/],
    [
      { retryPolicy: { maxRetrys: 3 } },
      /no 'maxRetrys' in a retryPolicy. Did you mean 'maxRetries'/,
    ],
    [{ retryPolicy: { max: 3 } }, /It has: maxRetries, intervalStart/],
    [{ retryPolicy: { maxRetries: -1 } }, /'maxRetries' of a retryPolicy is a number from 0/],
    [{ retryPolicy: { intervalMax: null } }, /'intervalMax' of a retryPolicy/],
    [{ shadow: 5 }, /'shadow' is a string/],
    [{ cuontdown: 5 }, /no option 'cuontdown'. Did you mean 'countdown'\?/],
    [{ whatsoever: 5 }, /no option 'whatsoever'. The options are: countdown, eta/],
    [{ priority: 10 }, /'priority' is an integer from 0 to 9, higher first; given was 10/],
    [{ priority: '5' }, /'priority' is an integer from 0 to 9/],
    [{ priority: 1.5 }, /'priority' is an integer from 0 to 9/],
    [{ linkError: 5 }, /'linkError' is not part of this version/],
    [{ link_error: 5 }, /'link_error' is not part of this version/],
    [{ throw: true }, /no option 'throw'/],
    [{ args: [] }, /no option 'args'/],
  ])('refuses %p', (options, message) => {
    expect(() => checkOptions(options, NOW)).toThrow(TypeError);
    expect(() => checkOptions(options, NOW)).toThrow(message);
  });
});

describe('checkArgs and checkKwargs', () => {
  it('take what they should', () => {
    expect(checkArgs([1])).toEqual([1]);
    expect(checkArgs(undefined)).toEqual([]);
    expect(checkKwargs({ a: 1 })).toEqual({ a: 1 });
    expect(checkKwargs(null)).toEqual({});
  });

  it('refuse the rest', () => {
    expect(() => checkArgs(5)).toThrow(/given as one array, such as \[2, 3\]; given was 5/);
    expect(() => checkArgs('ab')).toThrow(TypeError);
    expect(() => checkKwargs([1])).toThrow(/'kwargs' is a plain object/);
  });
});
