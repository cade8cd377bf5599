import { describe, expect, it } from '@jest/globals';
import type { ValueSpec } from '../setting-definition.interface.js';
import { readValue } from './value.reader.js';

const boolean: ValueSpec = { type: 'boolean', default: false };
const integer: ValueSpec = { type: 'integer', default: 1, min: 0, max: 9 };
const limit: ValueSpec = { type: 'duration', default: null, min: 0, zeroIsNull: true };
const choice: ValueSpec = {
  type: 'enum',
  default: 'info',
  choices: ['info', 'warning'],
  choiceAliases: { warn: 'warning' },
};
const list: ValueSpec = { type: 'list', default: [] };
const dict: ValueSpec = { type: 'dict', default: {} };
const policy: ValueSpec = {
  type: 'dict',
  default: { maxRetries: 3 },
  shape: {
    typeName: 'Policy',
    doc: 'A policy.',
    fields: [
      { name: 'max_retries', type: 'integer', default: 3, doc: '' },
      { name: 'interval_max', type: 'duration', default: undefined, doc: '' },
    ],
    ignored: { sep: 'for a reason' },
  },
};

describe('readValue', () => {
  it.each<[ValueSpec, unknown, unknown]>([
    [boolean, true, true],
    [boolean, 'TRUE', true],
    [boolean, ' on ', true],
    [boolean, 'Yes', true],
    [boolean, 1, true],
    [boolean, '0', false],
    [boolean, 'off', false],
    [boolean, 'No', false],
    [integer, ' 7 ', 7],
    [integer, '+7', 7],
    [limit, '15m', 900],
    [limit, 0, null],
    [limit, '0s', null],
    [limit, null, null],
    [limit, 'None', null],
    [choice, 'WARN', 'warning'],
    [choice, 'Info', 'info'],
    [list, 'a, b', ['a', 'b']],
    [list, '["a","b"]', ['a', 'b']],
    [list, ['a'], ['a']],
    [list, new Set(['a']), ['a']],
    [dict, '{"a":1}', { a: 1 }],
    [dict, { a: 1 }, { a: 1 }],
    [policy, {}, { maxRetries: 3 }],
    [policy, { max_retries: '5', sep: ',' }, { maxRetries: 5 }],
    [policy, '{"intervalMax":"2m"}', { maxRetries: 3, intervalMax: 120 }],
  ])('%j reads %p as %p', (spec, raw, value) => {
    expect(readValue(spec, raw)).toEqual({ value });
  });

  it.each<[ValueSpec, unknown, RegExp]>([
    [boolean, 'maybe', /is not a boolean: write true or false/],
    [boolean, 2, /is not a boolean/],
    [boolean, null, /may not be null: leave it out/],
    [boolean, {}, /is not a boolean/],
    [integer, 1.5, /is not a whole number from 0 to 9/],
    [integer, '10', /is not a whole number from 0 to 9/],
    [integer, '0x5', /is not a whole number/],
    [integer, true, /is not a whole number/],
    [integer, NaN, /is not a whole number/],
    [limit, 'abc', /is not a duration of at least 0: write a number of seconds or a string/],
    [limit, -1, /is not a duration of at least 0/],
    [choice, 'loud', /is not one of its values: write 'info' or 'warning'/],
    [choice, 5, /is not one of its values/],
    [list, 'a,,b', /is not a list of strings/],
    [list, [1], /is not a list of strings/],
    [list, '["a"', /is not a list of strings/],
    [list, 5, /is not a list of strings/],
    [dict, '[1]', /is not a dict/],
    [dict, 'x', /is not a dict/],
    [dict, new Map(), /is not a dict/],
    [policy, { max_retires: 1 }, /unknown key 'max_retires'\. Did you mean 'max_retries'\?/],
    [policy, { colour: 1 }, /unknown key 'colour'\. Known keys: max_retries, interval_max\./],
    [policy, { maxRetries: 'x' }, /wrong value: maxRetries='x' is not a whole number/],
  ])('%j refuses %p', (spec, raw, problem) => {
    expect(readValue(spec, raw)).toEqual({ problem: expect.stringMatching(problem) });
  });

  it('keeps a __proto__ key inert', () => {
    const reading = readValue(dict, '{"__proto__":{"polluted":true}}') as { value: object };
    expect(Object.getPrototypeOf(reading.value)).toBe(Object.prototype);
    expect('polluted' in reading.value).toBe(false);
    expect(readValue(policy, '{"__proto__":{}}')).toEqual({
      problem: expect.stringContaining("unknown key '__proto__'"),
    });
  });
});
