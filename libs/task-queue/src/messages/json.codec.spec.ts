import { Readable } from 'node:stream';
import vm from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { DecodeError, EncodeError } from '../errors/task-queue.errors.js';
import { decodeJson, encodeJson, jsonCodec } from './json.codec.js';

function roundTrip(value: unknown): unknown {
  return decodeJson(encodeJson(value));
}

function encodeFailure(value: unknown, path?: string): EncodeError {
  try {
    encodeJson(value, path);
  } catch (error) {
    if (error instanceof EncodeError) return error;
    throw error;
  }
  throw new Error('The value was encoded.');
}

/** Passes on whatever is thrown but a DecodeError. */
function outcomeOf(decode: () => unknown): string {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  return 'read or refused';
}

function nested(levels: number, wrap: (inner: unknown) => unknown): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = wrap(value);
  return value;
}

describe('encodeJson', () => {
  it('writes plain values as JSON.stringify does', () => {
    for (const value of [[2, 3], { x: { y: [null, true, 'a\u0000\ud800'] } }, 'text', 1.5, null]) {
      expect(encodeJson(value)).toBe(JSON.stringify(value));
    }
  });

  it('treats undefined as JSON.stringify does, and the top as null', () => {
    expect(encodeJson(undefined)).toBe('null');
    expect(encodeJson([undefined, { a: undefined, b: 1 }])).toBe('[null,{"b":1}]');
    expect(encodeJson([undefined, { a: undefined, b: 1n }])).toBe(
      '[null,{"b":{"__type__":"bigint","__value__":"1"}}]',
    );
    // oxlint-disable-next-line no-sparse-arrays
    expect(encodeJson([1, , 1n])).toBe('[1,null,{"__type__":"bigint","__value__":"1"}]');
    expect(roundTrip(new Map([['a', undefined]]))).toEqual(new Map([['a', null]]));
  });

  it("writes kombu's typed values", () => {
    const date = new Date('2024-01-02T03:04:05.678Z');
    expect(encodeJson(date)).toBe(
      '{"__type__":"datetime","__value__":"2024-01-02T03:04:05.678+00:00"}',
    );
    const base64 = '{"__type__":"base64","__value__":"AAH/"}';
    expect(encodeJson(Buffer.from([0, 1, 255]))).toBe(base64);
    expect(encodeJson(Uint8Array.of(9, 0, 1, 255).subarray(1))).toBe(base64);
  });

  it('uses toJSON once, as JSON.stringify does', () => {
    class Money {
      constructor(readonly cents: bigint) {}
      toJSON(): unknown {
        return { cents: this.cents, toJSON: () => 'not asked' };
      }
    }
    expect(encodeFailure([new Money(5n)]).path).toBe('args[0].toJSON');
    const seen: unknown[] = [];
    const spy = { toJSON: (key: unknown) => seen.push(key) };
    expect(encodeJson({ a: spy, b: [spy] })).toBe('{"a":1,"b":[2]}');
    expect(seen).toEqual(['a', '0']);
  });

  it('writes class instances as their own fields, and boxed primitives as primitives', () => {
    class Point {
      readonly #hidden = 1;
      readonly x = 1;
      readonly when = new Date(0);
      get sum(): number {
        return this.x + this.#hidden;
      }
    }
    expect(roundTrip(new Point())).toEqual({ x: 1, when: new Date(0) });
    expect(roundTrip([Object(1), Object('a'), Object(true), Object(5n)])).toEqual([
      1,
      'a',
      true,
      5n,
    ]);
    expect(roundTrip(Object.assign(Object.create(null), { a: 1n }))).toEqual({ a: 1n });
  });

  it('writes errors as name and message, whatever else they carry', () => {
    const error = Object.assign(new TypeError('bad'), {
      config: { headers: { Authorization: 'Bearer x' } },
      toJSON: () => ({ config: 'leak' }),
    });
    expect(encodeJson({ error })).toBe('{"error":{"name":"TypeError","message":"bad"}}');
  });

  it('knows values of another realm', () => {
    const foreign: unknown = vm.runInNewContext(
      '({ d: new Date(5), m: new Map([[1, new Set([2])]]), e: new Error("x"), o: [{}] })',
    );
    expect(roundTrip(foreign)).toEqual({
      d: new Date(5),
      m: new Map([[1, new Set([2])]]),
      e: { name: 'Error', message: 'x' },
      o: [{}],
    });
  });

  it('writes the same object twice when it is not a cycle', () => {
    const shared = { at: new Date(1) };
    expect(roundTrip([shared, shared, [shared]])).toEqual([shared, shared, [shared]]);
  });
});

describe('encodeJson refuses', () => {
  it.each<[string, unknown, string, RegExp]>([
    ['a function', [{ user: { onClick: () => 1 } }], 'args[0].user.onClick', /a function/],
    ['a symbol', [Symbol('s')], 'args[0]', /a symbol/],
    ['a promise', [Promise.resolve(1)], 'args[0]', /a Promise.*await it first/],
    [
      'a thenable',
      [
        new (class Query {
          // oxlint-disable-next-line unicorn/no-thenable -- It is what is tested.
          then(): void {}
        })(),
      ],
      'args[0]',
      /promise-like.*await/,
    ],
    ['a WeakMap', { a: new WeakMap() }, 'args.a', /a WeakMap/],
    ['a WeakRef', { a: new WeakRef({}) }, 'args.a', /a WeakRef/],
    ['a stream', { 'a-b': Readable.from([]) }, 'args["a-b"]', /a stream/],
    ['a web stream', [new ReadableStream()], 'args[0]', /a stream/],
    ['a RegExp', [/x/], 'args[0]', /a RegExp/],
    ['a Float64Array', [new Float64Array(2)], 'args[0]', /a Float64Array.*Array\.from/],
    ['a DataView', [new DataView(new ArrayBuffer(2))], 'args[0]', /a DataView/],
    ['an ArrayBuffer', [new ArrayBuffer(2)], 'args[0]', /an ArrayBuffer.*Buffer\.from/],
    ['an invalid Date', [new Date(Number.NaN)], 'args[0]', /an invalid Date/],
    ['URLSearchParams', [new URLSearchParams('a=1')], 'args[0]', /a URLSearchParams/],
    ['an AbortSignal', [new AbortController().signal], 'args[0]', /an AbortSignal/],
    ['a generator', [(function* () {})()], 'args[0]', /a Generator.*\[\.\.\.value\]/],
    ['a map value', [new Map([['k', Symbol('s')]])], "args[0].get('k')", /a symbol/],
    ['a map key', [new Map([[Symbol('s'), 1]])], 'args[0].keys()[0]', /a symbol/],
    ['a set member', [new Set([1, Symbol('s')])], 'args[0].values()[1]', /a symbol/],
    ['an endless bigint', [10n ** 100_001n], 'args[0]', /bigint of 100002 digits/],
  ])('%s', (_, value, path, message) => {
    const error = encodeFailure(value);
    expect(error.path).toBe(path);
    expect(error.message.startsWith(`${path} is a`)).toBe(true);
    expect(error.message).toMatch(message);
  });

  it('a cycle, saying where it points', () => {
    const user: Record<string, unknown> = { name: 'x' };
    user.friends = [{ of: user }];
    const error = encodeFailure([{ user }]);
    expect(error.path).toBe('args[0].user.friends[0].of');
    expect(error.message).toContain('a reference back to args[0].user,');
    const self = new Map<string, unknown>();
    self.set('me', self);
    expect(encodeFailure(self, 'result').message).toContain('a reference back to result,');
    const array: unknown[] = [];
    array.push(array);
    expect(encodeFailure(array).path).toBe('args[0]');
  });

  it('what throws while it is read, with the reason as the cause', () => {
    const reason = new Error('lazy field');
    const hostile = {
      get field(): never {
        throw reason;
      },
    };
    const error = encodeFailure([hostile]);
    expect(error.path).toBe('args[0].field');
    expect(error.cause).toBe(reason);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(encodeFailure([{ proxy }]).path).toBe('args[0].proxy');
  });

  it('more than 1,000 levels, in any container', () => {
    const wraps: ((inner: unknown) => unknown)[] = [
      (inner) => [inner],
      (inner) => ({ a: inner }),
      (inner) => [inner, 1n],
      (inner) => new Map([['k', inner]]),
      (inner) => new Set([inner]),
    ];
    for (const wrap of wraps) {
      expect(() => roundTrip(nested(1_000, wrap))).not.toThrow();
      expect(encodeFailure(nested(1_001, wrap)).message).toContain('deeper than 1000 levels');
      expect(encodeFailure(nested(50_000, wrap)).message.length).toBeLessThan(500);
    }
  });
});

describe('decodeJson', () => {
  it("reads kombu's types that have a meaning here", () => {
    const typed = (type: string, value: unknown): unknown =>
      decodeJson(JSON.stringify({ __type__: type, __value__: value }));
    expect(typed('datetime', '2024-01-02T03:04:05.678901')).toEqual(
      new Date('2024-01-02T03:04:05.678Z'),
    );
    expect(typed('date', '2024-01-02')).toEqual(new Date('2024-01-02T00:00:00Z'));
    expect(typed('time', '03:04:05.000001')).toBe('03:04:05.000001');
    expect(typed('decimal', '1.10')).toBe('1.10');
    expect(typed('decimal', '1E+2')).toBe('1E+2');
    expect(typed('uuid', { hex: '0123456789abcdef0123456789abcdef', version: 4 })).toBe(
      '01234567-89ab-cdef-0123-456789abcdef',
    );
    expect(typed('bytes', 'h\u00e9')).toEqual(Buffer.from('h\u00e9'));
    expect(typed('base64', 'AAH/')).toEqual(Buffer.from([0, 1, 255]));
    expect(decodeJson('{"bytes":"AAH/","__base64__":true}')).toEqual(Buffer.from([0, 1, 255]));
    expect(decodeJson('{"bytes":"abc","__bytes__":true}')).toEqual(Buffer.from('abc'));
  });

  it('leaves alone what only resembles a typed value', () => {
    const texts = [
      '{"__type__":"unknown","__value__":1}',
      '{"__type__":"datetime"}',
      '{"__type__":"datetime","__value__":"x","extra":1}',
      '{"__type__":["datetime"],"__value__":"x"}',
      '{"__type__":"constructor","__value__":1}',
      '{"__base64__":true}',
      '{"bytes":"AA==","__base64__":"yes"}',
      '{"bytes":"AA==","__bytes__":true,"more":1}',
    ];
    for (const text of texts) expect(JSON.stringify(decodeJson(text))).toBe(text);
  });

  it.each([
    ['datetime', '"yesterday"'],
    ['datetime', '5'],
    ['date', '"2024-02-30"'],
    ['base64', '"%%%"'],
    ['bigint', '"0x1"'],
    ['bigint', '"1e5"'],
    ['bigint', `"${'9'.repeat(100_001)}"`],
    ['bytes', '1'],
    ['decimal', '"one"'],
    ['float', '"1"'],
    ['float', '"__proto__"'],
    ['map', '[[1]]'],
    ['map', '{}'],
    ['object', '[[1,2]]'],
    ['set', '"abc"'],
    ['time', '"noon"'],
    ['url', '"/relative"'],
    ['uuid', '"0123"'],
    ['uuid', 'null'],
  ])('refuses a malformed %s without quoting it', (type, value) => {
    const decode = (): unknown => decodeJson(`[{"__type__":"${type}","__value__":${value}}]`);
    expect(decode).toThrow(DecodeError);
    expect(decode).toThrow(new RegExp(`kind '${type}' is malformed: it must be `));
    expect(decode).not.toThrow(/yesterday|%%%|noon|relative/);
  });

  it('tells the length and the position of a syntax error, never the text', () => {
    const fail = (text: string): Error => {
      try {
        decodeJson(text);
      } catch (error) {
        return error as Error;
      }
      throw new Error('It was decoded.');
    };
    expect(fail('{"password":"hunter2",}').message).toBe(
      'The text is not valid JSON (23 characters, first offending position 22). ' +
        'Check the program that wrote it.',
    );
    for (const text of ['', 'hunter2', '[hunter2]', '{"a":hunter2', '["hunter2" at position 7']) {
      const error = fail(text);
      expect(error).toBeInstanceOf(DecodeError);
      expect(error.message).toContain(`(${text.length} characters`);
      expect(error.message).not.toContain('hunter2');
      expect(error.cause).toBeUndefined();
    }
  });

  it('cannot change a prototype', () => {
    const payloads = [
      '{"__proto__":{"polluted":1},"a":{"__type__":"set","__value__":[1]}}',
      '{"__proto__":{"__type__":"map","__value__":[["polluted",1]]}}',
      '{"__type__":"object","__value__":[["__proto__",{"polluted":1}]]}',
      '{"constructor":{"prototype":{"polluted":1}},"a":{"__type__":"set","__value__":[1]}}',
      '{"__proto__":{"__proto__":{"__type__":"object","__value__":[["__proto__",{"polluted":1}]]}}}',
    ];
    for (const payload of payloads) {
      const decoded = decodeJson(payload) as object;
      expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
      expect((decoded as { polluted?: unknown }).polluted).toBeUndefined();
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    }
  });

  it('refuses a text of typed values nested deeper than 3,010 levels', () => {
    const deep = `${'['.repeat(3_011)}{"__type__":"set","__value__":[]}${']'.repeat(3_011)}`;
    expect(() => decodeJson(deep)).toThrow(/deeper than 3010 levels/);
  });

  it('is offered as the json codec', () => {
    expect(jsonCodec.name).toBe('json');
    expect(jsonCodec.contentType).toBe('application/json');
    expect(jsonCodec.decode(jsonCodec.encode([1n], 'args'))).toEqual([1n]);
  });
});

describe('a round trip', () => {
  it('keeps what JSON has no words for', () => {
    const value = {
      date: new Date(-1),
      far: new Date(8.64e15),
      big: -(2n ** 200n),
      numbers: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 1e308],
      map: new Map<unknown, unknown>([
        [{ k: 1n }, new Set([new Map([[1, 2]])])],
        ['__proto__', 'x'],
      ]),
      url: new URL('https://user:pw@example.com/a?b=c#d'),
      bytes: Buffer.from('abc'),
    };
    const copy = roundTrip(value) as typeof value;
    expect(copy).toEqual(value);
    expect(Object.is(copy.numbers[3], -0)).toBe(true);
    expect(copy.url).toBeInstanceOf(URL);
    expect(Buffer.isBuffer(copy.bytes)).toBe(true);
  });

  it('keeps plain objects that look like typed values', () => {
    const proto: unknown = JSON.parse('{"__proto__":{"x":1},"constructor":{"prototype":2}}');
    const values = [
      { __type__: 'datetime', __value__: 'never' },
      { __type__: 'datetime', __value__: new Date(0) },
      { __value__: 1, __type__: { __type__: 'object', __value__: [] } },
      { __type__: 'x', __value__: undefined },
      { __type__: 'set', __value__: [1], third: 1 },
      { bytes: 'AA==', __base64__: true },
      { __bytes__: true, bytes: { bytes: 1n, __bytes__: false } },
      proto,
      { a: proto, d: new Date(0) },
    ];
    for (const value of values) {
      const copy = roundTrip(value);
      expect(copy).toEqual(value);
      expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
      expect(Object.keys(copy as object)).toEqual(
        Object.entries(value as object).flatMap(([key, item]) => (item === undefined ? [] : [key])),
      );
    }
  });

  const oddKey = fc.oneof(
    fc.string(),
    fc.constantFrom('__type__', '__value__', '__bytes__', '__base64__', 'bytes', '__proto__'),
    fc.constantFrom('constructor', 'prototype', 'toJSON', 'then', 'hasOwnProperty', '\u0000'),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.double(),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.bigInt(),
        fc.date({ noInvalidDate: true }),
        fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
        fc.webUrl().map((url) => new URL(url)),
        fc.constantFrom('datetime', 'object', 'set'),
      ),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc
        .array(fc.tuple(oddKey, tie('tree')), { maxLength: 4 })
        .map((pairs) => Object.fromEntries(pairs)),
      fc.record({ __type__: tie('tree'), __value__: tie('tree') }),
      fc.array(fc.tuple(tie('tree'), tie('tree')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
      fc.array(tie('tree'), { maxLength: 3 }).map((items) => new Set(items)),
    ),
  }));

  it('keeps any such value', () => {
    fc.assert(
      fc.property(tree, (value) => {
        const text = encodeJson(value);
        const copy = decodeJson(text);
        // Sets and Maps compare by content only up to a point; the text compares exactly.
        expect(encodeJson(copy)).toBe(text);
        expect(copy).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it('never throws anything but DecodeError on hostile input, and never pollutes', () => {
    const kinds = ['datetime', 'base64', 'bigint', 'map', 'set', 'object', 'url', 'uuid', 'float'];
    const typedLike = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'small' },
        fc.jsonValue(),
        fc
          .array(fc.tuple(oddKey, tie('node')), { maxLength: 3 })
          .map((pairs) => Object.fromEntries(pairs)),
        fc.record({ __type__: fc.constantFrom(...kinds), __value__: tie('node') }),
        fc.array(fc.tuple(fc.constantFrom('__proto__', 'constructor'), tie('node'))),
      ),
    })).node;
    const before = Object.getOwnPropertyNames(Object.prototype);
    const texts = fc.oneof(
      fc.string(),
      typedLike.map((value) => JSON.stringify(value)),
      typedLike.map((value) => JSON.stringify(value).slice(0, -1)),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(outcomeOf(() => decodeJson(text))).toBe('read or refused');
        expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
        expect(Object.getPrototypeOf({})).toBe(Object.prototype);
      }),
      { numRuns: 500 },
    );
  });
});
