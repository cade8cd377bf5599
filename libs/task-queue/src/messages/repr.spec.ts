import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { OperationalError } from '../errors/task-queue.errors.js';
import { reprArgs, reprKwargs, reprValue } from './repr.js';
import { secretMatcher } from './secret-keys.util.js';

class User {
  readonly id = 1;
}

describe('reprValue', () => {
  it.each<[unknown, string]>([
    [5, '5'],
    [-0, '-0'],
    [1e21, '1e+21'],
    [Number.NaN, 'NaN'],
    [12n, '12'],
    [10n ** 2_000n, '<bigint of over 1000 digits>'],
    [true, 'true'],
    [null, 'null'],
    [undefined, 'null'],
    ['boom', "'boom'"],
    ["it's\n\\\u0000\u2028", "'it\\'s\\n\\\\\\x00\\u2028'"],
    ['\ud800 \u{1f600}', "'\\ud800 \u{1f600}'"],
    [[1, [2, 'a']], "[1, [2, 'a']]"],
    [{ x: 2, 'a b': null }, "{'x': 2, 'a b': null}"],
    [Object.create(null), '{}'],
    [new Date(0), 'Date(1970-01-01T00:00:00.000Z)'],
    [new Date(Number.NaN), 'Date(invalid)'],
    [new Map([['a', 1]]), "Map{'a': 1}"],
    [new Set([1, 'b']), "Set{1, 'b'}"],
    [Buffer.from('abc'), '<Buffer of 3 bytes>'],
    [new Float64Array(2), '<Float64Array of 16 bytes>'],
    [new ArrayBuffer(2), '<ArrayBuffer>'],
    [Symbol('s\n'), 'Symbol(s\\n)'],
    [() => 1, '<function>'],
    [parseInt, '<function parseInt>'],
    [User, '<function User>'],
    [new User(), "User{'id': 1}"],
    [/x/, '<RegExp>'],
    [Object(1), '<Number>'],
    [new Error('boom'), "Error('boom')"],
    [new TypeError(), 'TypeError()'],
    [new OperationalError('down'), "OperationalError('down')"],
    [new (class ValueError extends Error {})('bad'), "ValueError('bad')"],
    [new DOMException('late', 'TimeoutError'), "TimeoutError('late')"],
    [new URL('redis://u:hunter2@host/'), "URL('redis://u:********@host/')"],
    ['see redis://:hunter2@host', "'see redis://:********@host'"],
  ])('shows %p', (value, expected) => {
    expect(reprValue(value)).toBe(expected);
  });

  it('hides values under secret keys, in objects and maps, at any level', () => {
    const value = [
      { user: { Password: 'a', 'x-api-key': { deep: 1 } } },
      new Map([['token', 'b']]),
    ];
    expect(reprValue(value)).toBe(
      "[{'user': {'Password': '********', 'x-api-key': '********'}}, Map{'token': '********'}]",
    );
    expect(reprValue({ iban: 1, token: 2 }, 100, secretMatcher(['iban']))).toBe(
      "{'iban': '********', 'token': 2}",
    );
  });

  it('does not leave half a password where it cuts', () => {
    for (let length = 10; length < 60; length++) {
      expect(reprValue('see redis://user:hunter2@host/0 for more', length)).not.toMatch(/:h/);
    }
  });

  it('limits depth and breadth, and marks cycles', () => {
    expect(reprValue([[[[[[[1]]]]]]])).toBe('[[[[[[...]]]]]]');
    const cycle: Record<string, unknown> = {};
    cycle.me = cycle;
    expect(reprValue(cycle)).toBe("{'me': {...}}");
    const text = reprValue(
      Array.from({ length: 200 }, () => 1),
      10_000,
    );
    expect(text).toBe(`[${'1, '.repeat(100)}...]`);
  });

  it('cuts at the length, between characters', () => {
    expect(reprValue('x'.repeat(2_000))).toHaveLength(1_024);
    expect(reprValue('abcdef', 6)).toBe("'ab...");
    expect(reprValue('a\u{1f600}bcd', 6)).toBe("'a...");
    expect(reprValue('abcdef', 2)).toBe('..');
    expect(reprValue('abcdef', 0)).toBe('');
  });

  it('is quick on huge values', () => {
    const started = performance.now();
    reprValue(Array.from({ length: 1_000_000 }, (_, i) => i));
    reprValue('x'.repeat(10_000_000));
    reprValue({ token: 'x', big: new Map([[1, 'y'.repeat(1_000_000)]]) });
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it('runs no code of the value', () => {
    const fail = (): never => {
      throw new Error('It ran.');
    };
    const traps: ProxyHandler<object> = new Proxy({}, { get: fail });
    const hostile: Record<string | symbol, unknown> = {
      toString: fail,
      toJSON: fail,
      [Symbol.toPrimitive]: fail,
      [Symbol.iterator]: fail,
      proxy: new Proxy({}, traps),
      callable: new Proxy(() => 1, traps),
      child: Object.create(new Proxy({}, traps)),
    };
    Object.defineProperty(hostile, 'getter', { enumerable: true, get: fail });
    Object.defineProperty(hostile, Symbol.toStringTag, { get: fail });
    expect(reprValue(hostile)).toBe(
      "{'toString': <function fail>, 'toJSON': <function fail>, 'proxy': <Proxy>, " +
        "'callable': <Proxy>, 'child': {}, 'getter': <getter>}",
    );
    const date = Object.assign(new Date(0), { getTime: fail, toISOString: fail });
    const map = Object.assign(new Map([[1, 2]]), { entries: fail, [Symbol.iterator]: fail });
    Object.defineProperty(map, 'size', { get: fail });
    const error = new Error('x');
    Object.defineProperty(error, 'name', { get: fail });
    expect(reprValue([date, map, error])).toBe(
      "[Date(1970-01-01T00:00:00.000Z), Map{1: 2}, Error('x')]",
    );
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    expect(reprValue(proxy)).toBe('<Proxy>');
  });

  it('never throws and never exceeds the length', () => {
    const anything = fc.anything({
      withMap: true,
      withSet: true,
      withDate: true,
      withBigInt: true,
    });
    fc.assert(
      fc.property(anything, fc.nat(200), (value, length) => {
        expect(reprValue(value, length).length).toBeLessThanOrEqual(length);
      }),
    );
  });
});

describe('reprArgs and reprKwargs', () => {
  it("show arguments in Python's way", () => {
    expect(reprArgs([])).toBe('()');
    expect(reprArgs([2, 3])).toBe('(2, 3)');
    expect(reprArgs([2])).toBe('(2,)');
    expect(reprArgs([{ password: 'x' }])).toBe("({'password': '********'},)");
    expect(reprKwargs({})).toBe('{}');
    expect(reprKwargs({ x: 2, y: 'a', token: 'b' })).toBe(
      "{'x': 2, 'y': 'a', 'token': '********'}",
    );
  });

  it('are cut too', () => {
    expect(reprArgs(['abcdef', 1], 8)).toBe("('abc...");
    expect(reprKwargs({ x: 'abcdef' }, 8)).toBe("{'x':...");
  });
});
