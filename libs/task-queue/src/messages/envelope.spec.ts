import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { ContentDisallowed, DecodeError, EncodeError } from '../errors/task-queue.errors.js';
import type { Codec } from './codec.interface.js';
import { decodeArgs, decodeEnvelope, encodeEnvelope } from './envelope.js';
import type { TaskHeaders, TaskMessage } from './task-message.interface.js';

const JSON_ONLY = { acceptContent: new Set(['application/json']) };
const LIMIT = { maxBytes: 1_048_576 };

const hex: Codec = {
  name: 'hex',
  contentType: 'application/x-hex',
  decode: (text) => JSON.parse(Buffer.from(text, 'hex').toString()),
  encode: (value) => Buffer.from(JSON.stringify(value)).toString('hex'),
};

function message(parts: Partial<TaskMessage> = {}): TaskMessage {
  return { id: 'id-1', task: 'demo.add', args: [2, 3], kwargs: {}, headers: {}, ...parts };
}

function wireHeaders(headers: TaskHeaders): unknown {
  return (JSON.parse(encodeEnvelope(message({ headers }), LIMIT)) as { h: unknown }).h;
}

function read(data: unknown): TaskHeaders {
  return decodeEnvelope(JSON.stringify(data), JSON_ONLY).headers;
}

function failure(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown.');
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

describe('encodeEnvelope', () => {
  it('writes the arguments as one string', () => {
    expect(encodeEnvelope(message(), LIMIT)).toBe('{"v":1,"a":"[[2,3]]","h":{}}');
    expect(encodeEnvelope(message({ args: [], kwargs: { x: 2 } }), LIMIT)).toBe(
      '{"v":1,"a":"[[],{\\"x\\":2}]","h":{}}',
    );
  });

  it('leaves out headers that say nothing', () => {
    const defaults: Required<Omit<TaskHeaders, 'ignore_result'>> = {
      argsrepr: '()',
      content_type: 'application/json',
      eta: null,
      expires: null,
      group: null,
      group_index: null,
      headers: {},
      kwargsrepr: '{}',
      lang: 'js',
      origin: null,
      parent_id: null,
      priority: 0,
      replaced_task_nesting: 0,
      retries: 0,
      root_id: 'id-1',
      shadow: null,
      stamped_headers: [],
      stamps: {},
      timelimit: [null, null],
    };
    expect(wireHeaders(defaults)).toEqual({});
    expect(wireHeaders({ root_id: undefined })).toEqual({});
  });

  it('keeps headers that do', () => {
    const headers: TaskHeaders = {
      argsrepr: '(2, 3)',
      eta: '2026-11-20T14:52:49.987954+08:00',
      group: 'g',
      group_index: 0,
      headers: { 'x-my': '1' },
      ignore_result: true,
      lang: 'py',
      priority: 9,
      retries: 2,
      root_id: 'other',
      stamped_headers: ['s'],
      stamps: { s: ['a'] },
      timelimit: [10, null],
    };
    expect(wireHeaders(headers)).toEqual(headers);
    expect(wireHeaders({ ignore_result: false })).toEqual({ ignore_result: false });
  });

  it('names the argument that cannot be encoded as the caller knows it', () => {
    const bad = (): number => 1;
    const path = (parts: Partial<TaskMessage>): string =>
      (failure(() => encodeEnvelope(message(parts), LIMIT)) as EncodeError).path;
    expect(path({ args: [1, { user: bad }] })).toBe('args[1].user');
    expect(path({ kwargs: { user: bad } })).toBe('kwargs.user');
    expect(path({ headers: { headers: { user: bad } } })).toBe('headers.headers.user');
  });

  it('refuses headers of a wrong type', () => {
    const headers = { priority: 'high' } as unknown as TaskHeaders;
    const error = failure(() => encodeEnvelope(message({ headers }), LIMIT));
    expect(error).toBeInstanceOf(EncodeError);
    expect(error.message).toBe(
      "The header 'priority' must be an integer from 0 to 9, but it is a string of 4 characters.",
    );
  });

  it('refuses what is larger than the limit, and says by how much', () => {
    const overhead = Buffer.byteLength(encodeEnvelope(message({ args: [''] }), LIMIT));
    const fits = message({ args: ['\u20ac'.repeat(100)] });
    const maxBytes = overhead + 300;
    expect(() => encodeEnvelope(fits, { maxBytes })).not.toThrow();
    expect(() => encodeEnvelope(fits, { maxBytes: Infinity })).not.toThrow();
    const error = failure(() => encodeEnvelope(fits, { maxBytes: maxBytes - 1 }));
    expect(error).toBeInstanceOf(EncodeError);
    expect(error.message).toContain(
      `'demo.add' takes ${maxBytes} bytes, more than the ${maxBytes - 1} that ` +
        'task_max_payload_bytes allows',
    );
  });

  it('refuses characters in headers that a store cannot keep, and keeps them in arguments', () => {
    for (const bad of ['a\u0000', '\ud800', 'x\udfff']) {
      const error = failure(() =>
        encodeEnvelope(message({ headers: { shadow: 'ok', headers: { bad } } }), LIMIT),
      );
      expect(error).toBeInstanceOf(EncodeError);
      expect((error as EncodeError).path).toBe('headers.headers');
      const data = encodeEnvelope(message({ args: [bad] }), LIMIT);
      expect(data).not.toMatch(/(?<!\\)\\u/);
      expect(decodeArgs(decodeEnvelope(data, JSON_ONLY).payload).args).toEqual([bad]);
    }
    const escaped = { headers: { text: 'a literal \\u0000, and \u{1f600}' } };
    expect(wireHeaders(escaped)).toEqual(escaped);
  });

  it('writes with another codec and says so', () => {
    const source = message({ kwargs: { x: 1 }, headers: { content_type: 'text/plain' } });
    const data = encodeEnvelope(source, { ...LIMIT, codec: hex });
    const opened = decodeEnvelope(data, { acceptContent: new Set(['application/x-hex']) });
    expect(opened.contentType).toBe('application/x-hex');
    expect(decodeArgs(opened.payload, hex)).toEqual({ args: [2, 3], kwargs: { x: 1 } });
  });
});

describe('decodeEnvelope', () => {
  it('reads what encodeEnvelope writes, with typed values in headers and arguments', () => {
    const when = new Date(0);
    const source = message({
      args: [when, 1n],
      kwargs: { when, __proto__x: new Set([1]) },
      headers: { headers: { when }, stamps: { when }, retries: 1 },
    });
    const opened = decodeEnvelope(encodeEnvelope(source, LIMIT), JSON_ONLY);
    expect(opened.contentType).toBe('application/json');
    expect(opened.headers).toEqual(source.headers);
    expect(decodeArgs(opened.payload)).toEqual({ args: source.args, kwargs: source.kwargs });
  });

  it('does not touch the arguments', () => {
    const opened = decodeEnvelope('{"v":1,"a":"not json"}', JSON_ONLY);
    expect(opened).toEqual({ contentType: 'application/json', headers: {}, payload: 'not json' });
    expect(() => decodeArgs(opened.payload)).toThrow(DecodeError);
  });

  it('drops nulls and keeps headers it does not know', () => {
    expect(read({ v: 1, a: '', h: { eta: null, retries: 1, later: { x: 1 } } })).toEqual({
      retries: 1,
      later: { x: 1 },
    });
  });

  it.each<[string, string, RegExp]>([
    ['no JSON', 'hunter2', /not valid JSON \(7 characters/],
    ['an empty text', '', /not valid JSON \(0 characters/],
    ['a number', '5', /must be an object, but it is the number 5/],
    ['null', 'null', /must be an object, but it is null/],
    ['an array', '["hunter2"]', /must be an object, but it is an array of 1/],
    ['no version', '{"a":"hunter2"}', /field 'v' with the version is missing/],
    ['a version of a wrong type', '{"v":"hunter2","a":""}', /version is a string of 7 characters/],
    ['a later version', '{"v":2,"a":""}', /has the version 2, but this library reads version 1/],
    ['no arguments', '{"v":1}', /field 'a' with the arguments is missing/],
    ['inherited arguments', '{"v":1,"__proto__":{"a":""}}', /field 'a' .* is missing/],
    ['arguments that are no string', '{"v":1,"a":["hunter2"]}', /'a' must be a string.*array of 1/],
    ['headers that are no object', '{"v":1,"a":"","h":"hunter2"}', /'h' must be an object/],
    [
      'a malformed typed header',
      '{"v":1,"a":"","h":{"x":{"__type__":"datetime","__value__":"hunter2"}}}',
      /kind 'datetime' is malformed/,
    ],
  ])('refuses %s without quoting it', (_, data, reason) => {
    const error = failure(() => decodeEnvelope(data, JSON_ONLY));
    expect(error).toBeInstanceOf(DecodeError);
    expect(error.message).toMatch(reason);
    expect(error.message).not.toContain('hunter2');
    expect(error.cause).toBeUndefined();
  });

  it('refuses data that is no string at all', () => {
    expect(() => decodeEnvelope({ v: 1 } as unknown as string, JSON_ONLY)).toThrow(
      /must be a string, but it is an object/,
    );
  });

  it.each<[keyof TaskHeaders, unknown[]]>([
    ['argsrepr', [1]],
    ['eta', ['soon', 5, '2024-02-30T00:00:00Z']],
    ['expires', ['never', {}]],
    ['group', [1]],
    ['group_index', [-1, 1.5, '0']],
    ['headers', ['x', [], 1]],
    ['ignore_result', [0, 'true']],
    ['kwargsrepr', [{}]],
    ['lang', [1]],
    ['origin', [[]]],
    ['parent_id', [1]],
    ['priority', [10, -1, 0.5, '1']],
    ['replaced_task_nesting', [-1]],
    ['retries', [-1, '1', 1e300]],
    ['root_id', [{}]],
    ['shadow', [false]],
    ['stamped_headers', ['x', [1]]],
    ['stamps', [['x']]],
    ['timelimit', [5, [1], [1, 2, 3], [0, null], [-1, null], ['1', null]]],
    ['content_type', [1]],
  ])('refuses a header %s of a wrong type', (name, values) => {
    for (const value of values) {
      const run = (): unknown => read({ v: 1, a: '[[]]', h: { [name]: value } });
      expect(run).toThrow(DecodeError);
      expect(run).toThrow(new RegExp(`its header '${name}' must be `));
    }
  });

  it('refuses content that is not accepted, before it is decoded', () => {
    const data = '{"v":1,"a":"gASV","h":{"content_type":"application/x-python-serialize"}}';
    const error = failure(() => decodeEnvelope(data, JSON_ONLY));
    expect(error).toBeInstanceOf(ContentDisallowed);
    expect(error.message).toContain("'application/x-python-serialize', which accept_content does");
    expect(() => decodeEnvelope('{"v":1,"a":""}', { acceptContent: new Set() })).toThrow(
      ContentDisallowed,
    );
  });

  it('drops a header that could change a prototype', () => {
    const { headers } = decodeEnvelope(
      '{"v":1,"a":"","h":{"__proto__":{"polluted":1},"constructor":1}}',
      JSON_ONLY,
    );
    expect(Object.keys(headers)).toEqual(['constructor']);
    expect((Object.assign({}, headers) as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('decodeArgs', () => {
  it('reads one or two parts', () => {
    expect(decodeArgs('[[2,3]]')).toEqual({ args: [2, 3], kwargs: {} });
    expect(decodeArgs('[[],{"x":1}]')).toEqual({ args: [], kwargs: { x: 1 } });
  });

  it.each<[string, RegExp]>([
    ['hunter2', /not valid JSON/],
    ['5', /must hold \[args\] or \[args, kwargs\], not the number 5/],
    ['[]', /not an array of 0/],
    ['[[],{},{}]', /not an array of 3/],
    ['["hunter2"]', /positional arguments must be an array, but they are a string of 7/],
    ['[{}]', /positional arguments must be an array/],
    ['[[],["hunter2"]]', /keyword arguments must be an object, but they are an array of 1/],
    ['[[],null]', /keyword arguments must be an object, but they are null/],
    ['[[],{"__type__":"map","__value__":[]}]', /keyword arguments must be an object/],
    ['[{"__type__":"set","__value__":[]}]', /positional arguments must be an array/],
  ])('refuses %s', (payload, reason) => {
    const error = failure(() => decodeArgs(payload));
    expect(error).toBeInstanceOf(DecodeError);
    expect(error.message).toMatch(reason);
    expect(error.message).not.toContain('hunter2');
  });

  it('does not let a foreign codec quote the payload', () => {
    const error = failure(() => decodeArgs(Buffer.from('hunter2').toString('hex'), hex));
    expect(error).toBeInstanceOf(DecodeError);
    expect(error.message).toContain("The codec 'hex' could not decode the arguments");
    expect(error.cause).toBeUndefined();
  });
});

describe('an envelope', () => {
  it('keeps any arguments', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue()),
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()),
        (args, record) => {
          const kwargs = Object.fromEntries(Object.entries(record));
          const data = encodeEnvelope(message({ args, kwargs }), { maxBytes: Infinity });
          const text = JSON.stringify([args, kwargs]);
          const opened = decodeArgs(decodeEnvelope(data, JSON_ONLY).payload);
          // -0 is kept, which plain JSON does not do.
          expect(JSON.stringify([opened.args, opened.kwargs])).toBe(text);
        },
      ),
    );
  });

  it('is read or refused with a DecodeError, whatever it holds', () => {
    const part = fc.oneof(fc.jsonValue(), fc.constantFrom('[[2,3]]', '[[],{}]', 1, {}));
    const data = fc.oneof(
      fc.string(),
      fc.record({ v: fc.constantFrom(1, 2), a: part, h: part }, { requiredKeys: [] }),
      fc.record({ v: fc.constant(1), a: fc.json(), h: fc.object() }),
    );
    fc.assert(
      fc.property(data, (value) => {
        const text = typeof value === 'string' ? value : JSON.stringify(value);
        const open = (): unknown => decodeArgs(decodeEnvelope(text, JSON_ONLY).payload);
        expect(outcomeOf(open)).toBe('read or refused');
      }),
      { numRuns: 300 },
    );
  });
});
