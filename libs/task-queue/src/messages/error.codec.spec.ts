import { types } from 'node:util';
import vm from 'node:vm';
import { HttpException } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import {
  EncodeError,
  NotRegistered,
  OperationalError,
  Reject,
  TaskFailure,
  TaskQueueError,
  TaskRevokedError,
  TimeoutError,
} from '../errors/task-queue.errors.js';
import { decodeError, encodeError } from './error.codec.js';
import type { EncodedError } from './error.codec.js';
import type { ErrorClass } from './error-classes.js';

class PaymentError extends Error {
  static built = 0;
  readonly code: number;
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    PaymentError.built += 1;
    this.code = code;
  }
  describe(): string {
    return `payment failed with ${this.code}`;
  }
}

const KNOWN: ReadonlyMap<string, ErrorClass> = new Map([['PaymentError', PaymentError]]);

function roundTrip(thrown: unknown, known = KNOWN): Error & Record<string, unknown> {
  const json: unknown = JSON.parse(JSON.stringify(encodeError(thrown)));
  return decodeError(json, known) as Error & Record<string, unknown>;
}

describe('encodeError', () => {
  it("writes Celery's shape", () => {
    const error = new TypeError('bad');
    expect(encodeError(error)).toEqual({
      exc_type: 'TypeError',
      exc_message: ['bad'],
      exc_module: 'builtins',
      exc_stack: error.stack,
    });
    expect(encodeError(new OperationalError('down')).exc_module).toBe('nestjs-celery');
    expect(encodeError(new PaymentError(7, 'no'))).toMatchObject({
      exc_type: 'PaymentError',
      exc_message: ['no'],
      exc_module: 'js',
      exc_data: { code: 7 },
    });
    expect(encodeError(new Error())).toMatchObject({ exc_type: 'Error', exc_message: [] });
  });

  it('finds the name of the class', () => {
    class Unnamed extends RangeError {}
    class Named extends Error {
      override name = 'Given';
    }
    class OnlyOurs extends TaskQueueError {}
    const renamed = Object.assign(new Error('x'), { name: 'AbortError' });
    expect(encodeError(new Unnamed())).toMatchObject({ exc_type: 'Unnamed', exc_module: 'js' });
    expect(encodeError(new Named())).toMatchObject({ exc_type: 'Given', exc_module: 'js' });
    expect(encodeError(renamed)).toMatchObject({ exc_type: 'AbortError', exc_module: 'js' });
    expect(encodeError(new OnlyOurs())).toMatchObject({ exc_type: 'OnlyOurs', exc_module: 'js' });
    expect(encodeError(AbortSignal.abort().reason).exc_type).toBe('AbortError');
    expect(encodeError(vm.runInNewContext('new TypeError("far")'))).toMatchObject({
      exc_type: 'TypeError',
      exc_message: ['far'],
      exc_module: 'builtins',
    });
  });

  it.each<[unknown, string]>([
    ['boom', "The task threw a string: 'boom'."],
    [undefined, 'The task threw undefined.'],
    [null, 'The task threw null.'],
    [5, 'The task threw a number: 5.'],
    [10n, 'The task threw a bigint: 10.'],
    [[1], 'The task threw an array: [1].'],
    [{ token: 'x', a: 1 }, "The task threw an object: {'token': '********', 'a': 1}."],
    [Symbol('s'), 'The task threw a symbol: Symbol(s).'],
  ])('says so when %p was thrown', (thrown, message) => {
    expect(encodeError(thrown)).toEqual({
      exc_type: 'NonErrorThrown',
      exc_message: [message],
      exc_module: 'js',
    });
  });

  it('follows causes, five deep, also in a cycle', () => {
    const error = new Error('a', { cause: new PaymentError(1, 'b', { cause: 'c' }) });
    expect(encodeError(error).exc_cause).toMatchObject({
      exc_type: 'PaymentError',
      exc_cause: { exc_type: 'NonErrorThrown', exc_message: ["The cause was a string: 'c'."] },
    });
    const cyclic = new Error('me');
    cyclic.cause = cyclic;
    let depth = 0;
    for (let level = encodeError(cyclic).exc_cause; level; level = level.exc_cause) depth += 1;
    expect(depth).toBe(5);
  });

  it('keeps the fields that are JSON, without secrets', () => {
    const error = Object.assign(new Error('x'), {
      code: 'E1',
      big: 5n,
      nan: Number.NaN,
      nothing: null,
      skipped: undefined,
      fn: () => 1,
      date: new Date(),
      url: 'redis://:hunter2@host',
      password: 'hunter2',
      config: { headers: { Authorization: 'hunter2', accept: ['a', () => 1] } },
      deep: { a: { b: { c: { d: 1 } } } },
    });
    Object.defineProperty(error, 'lazy', { enumerable: true, get: () => 'hunter2' });
    const encoded = encodeError(error);
    expect(encoded.exc_data).toEqual({
      code: 'E1',
      big: '5',
      nan: 'NaN',
      nothing: null,
      url: 'redis://:********@host',
      password: '********',
      config: { headers: { Authorization: '********', accept: ['a', null] } },
      deep: { a: { b: {} } },
    });
    expect(JSON.stringify(encoded)).not.toContain('hunter2');
  });

  it('limits what it keeps', () => {
    const wide = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, i]));
    const error = Object.assign(new Error('m'.repeat(1e6)), wide, { cycle: {} });
    error.cycle = error;
    expect(JSON.stringify(encodeError(error)).length).toBeLessThan(120_000);
  });

  it('masks passwords of URLs in messages and stacks', () => {
    const encoded = encodeError(new Error('connect redis://:hunter2@host/0 failed'));
    expect(encoded.exc_message).toEqual(['connect redis://:********@host/0 failed']);
    expect(encoded.exc_stack).not.toContain('hunter2');
  });

  it('never throws', () => {
    const fail = (): never => {
      throw new Error('It ran.');
    };
    const hostile = new Error('x');
    for (const key of ['stack', 'name', 'message', 'cause', 'constructor']) {
      Object.defineProperty(hostile, key, { enumerable: true, get: fail });
    }
    expect(encodeError(hostile).exc_type).toBe('Error');
    const traps: ProxyHandler<object> = new Proxy({}, { get: fail });
    expect(encodeError(new Proxy(new Error('x'), traps))).toMatchObject({
      exc_type: 'NonErrorThrown',
      exc_message: ['The task threw an object: <Proxy>.'],
    });
    const odd = Object.assign(Object.create(Error.prototype), { message: { a: 1 }, stack: 5 });
    expect(encodeError(odd)).toMatchObject({ exc_type: 'Error', exc_message: ["{'a': 1}"] });
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        expect(decodeError(encodeError(thrown))).toBeInstanceOf(Error);
      }),
    );
  });
});

describe('decodeError', () => {
  it('rebuilds known classes without calling their constructors', () => {
    const original = new PaymentError(7, 'no', { cause: new TypeError('why') });
    const built = PaymentError.built;
    const copy = roundTrip(original);
    expect(PaymentError.built).toBe(built);
    expect(copy).toBeInstanceOf(PaymentError);
    expect(copy).toMatchObject({ message: 'no', code: 7, stack: original.stack });
    expect((copy as unknown as PaymentError).describe()).toBe('payment failed with 7');
    expect(copy.cause).toBeInstanceOf(TypeError);
    expect(Object.keys(copy)).toEqual(['code']);
    expect(types.isNativeError(copy)).toBe(true);
  });

  it("rebuilds JavaScript's own and this library's classes", () => {
    expect(roundTrip(new RangeError('r'))).toBeInstanceOf(RangeError);
    expect(roundTrip(new EncodeError('e', 'args[0]'))).toMatchObject({ path: 'args[0]' });
    const missing = roundTrip(new NotRegistered('a.b'));
    expect(missing).toBeInstanceOf(NotRegistered);
    expect(missing.taskName).toBe('a.b');
    expect(roundTrip(new TimeoutError())).toBeInstanceOf(TimeoutError);
    expect(roundTrip(new Reject('why', true))).toMatchObject({ reason: 'why', requeue: true });
    const revoked = { exc_type: 'TaskRevokedError', exc_message: ['terminated'] };
    const fromCelery = decodeError({ ...revoked, exc_module: 'celery.exceptions' });
    expect(fromCelery).toBeInstanceOf(TaskRevokedError);
    expect(fromCelery.message).toBe('terminated');
  });

  it("makes other classes a TaskFailure of their name, Python's included", () => {
    const unknown = roundTrip(new PaymentError(7, 'no'), new Map());
    expect(unknown).toBeInstanceOf(TaskFailure);
    expect(unknown).toMatchObject({ name: 'PaymentError', message: 'no', module: 'js', code: 7 });
    const python = { exc_type: 'KeyError', exc_message: ['x', 1], exc_module: 'builtins' };
    const failure = decodeError(python) as TaskFailure;
    expect(failure).toBeInstanceOf(TaskFailure);
    expect(failure).toMatchObject({ name: 'KeyError', module: 'builtins', args: ['x', 1] });
    expect(failure.message).toBe("('x', 1)");
    expect(failure.stack).toBe("KeyError: ('x', 1)");
    expect(decodeError({ ...python, exc_message: 'text' }).message).toBe('text');
    expect(decodeError({ ...python, exc_message: [3] }).message).toBe('3');
    expect(decodeError({ ...python, exc_message: [] }).stack).toBe('KeyError');
    expect(decodeError({ exc_type: 'X', exc_message: '' })).toMatchObject({ module: null });
    expect(decodeError({ exc_type: 'TypeError', exc_message: 'm' })).toBeInstanceOf(TypeError);
    // On through a second task, nothing of it is lost.
    expect(encodeError(failure)).toMatchObject(python);
    expect(encodeError(failure).exc_data).toBeUndefined();
  });

  it('keeps the name of what is not the name of its class', () => {
    const abort = roundTrip(Object.assign(new Error('x'), { name: 'AbortError' }));
    expect(abort.name).toBe('AbortError');
    const known = new Map<string, ErrorClass>([['Given', PaymentError]]);
    const given = decodeError({ exc_type: 'Given', exc_message: 'm', exc_module: 'js' }, known);
    expect(given).toBeInstanceOf(PaymentError);
    expect(given.name).toBe('Given');
  });

  it("works with Nest's exceptions", () => {
    const known = new Map<string, ErrorClass>([['HttpException', HttpException]]);
    const copy = roundTrip(new HttpException('gone', 410), known) as unknown as HttpException;
    expect(copy).toBeInstanceOf(HttpException);
    expect(copy.getStatus()).toBe(410);
    expect(copy.getResponse()).toBe('gone');
  });

  it('does not let data replace methods or prototypes', () => {
    const data: unknown = JSON.parse(
      '{"__proto__":{"polluted":1},"constructor":1,"toString":1,"describe":1,"then":1,' +
        '"toJSON":1,"name":"x","message":"x","stack":"x","cause":"x","code":5}',
    );
    const json = {
      exc_type: 'PaymentError',
      exc_message: ['m'],
      exc_module: 'js',
      exc_data: data,
    };
    const copy = decodeError(json, KNOWN) as Error & Record<string, unknown>;
    expect(Object.getPrototypeOf(copy)).toBe(PaymentError.prototype);
    expect((copy as unknown as PaymentError).describe()).toBe('payment failed with 5');
    expect(Object.keys(copy)).toEqual(['code']);
    expect(copy).toMatchObject({ message: 'm', stack: 'PaymentError: m' });
    expect(copy.polluted).toBeUndefined();
    expect(copy.cause).toBeUndefined();
  });

  it('never picks a class outside the known ones', () => {
    for (const name of ['Function', 'Object', '__proto__', 'constructor', 'isError', 'Buffer']) {
      for (const module of ['builtins', 'nestjs-celery', 'js', null]) {
        const json = { exc_type: name, exc_message: ['m'], exc_module: module };
        const error = decodeError(json, new Map([['Buffer', Buffer as unknown as ErrorClass]]));
        expect(error).toBeInstanceOf(TaskFailure);
        expect(error.name).toBe(name);
      }
    }
  });

  it.each<[unknown, RegExp]>([
    [null, /it is not an object/],
    ['ValueError', /it is not an object/],
    [[], /it is not an object/],
    [{}, /'exc_type' is not a name/],
    [{ exc_type: '' }, /'exc_type' is not a name/],
    [{ exc_type: 'X' }, /'exc_message' is neither a string nor an array/],
    [{ exc_type: 'X', exc_message: 'm', exc_module: 5 }, /'exc_module' is not a name/],
  ])('says what is wrong with %j', (json, reason) => {
    const error = decodeError(json);
    expect(error).toBeInstanceOf(TaskFailure);
    expect(error.message).toMatch(reason);
  });

  it('follows five causes of a hostile chain and ignores what it does not know', () => {
    const level: EncodedError = { exc_type: 'X', exc_message: ['m'], exc_module: null };
    let json: EncodedError = level;
    for (let i = 0; i < 50; i++) json = { ...level, exc_cause: json };
    let depth = 0;
    for (let at = decodeError(json).cause; at !== undefined; at = (at as Error).cause) depth += 1;
    expect(depth).toBe(5);
    const odd = { ...level, exc_stack: 5, exc_data: [1], exc_cause: 'text', more: 1 };
    expect(decodeError(odd)).toMatchObject({ name: 'X', stack: 'X: m' });
    expect(decodeError(odd).cause).toBeInstanceOf(TaskFailure);
  });

  it('returns an Error for any JSON', () => {
    const part = fc.jsonValue();
    const shaped = fc.record(
      {
        exc_type: fc.oneof(part, fc.constantFrom('TypeError', 'PaymentError', '__proto__')),
        exc_message: fc.oneof(part, fc.array(part)),
        exc_module: fc.oneof(part, fc.constantFrom('builtins', 'js', null)),
        exc_data: part,
        exc_cause: part,
        exc_stack: part,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(part, shaped), (json) => {
        expect(decodeError(json, KNOWN)).toBeInstanceOf(Error);
        expect(Object.getPrototypeOf({})).toBe(Object.prototype);
      }),
      { numRuns: 300 },
    );
  });
});
