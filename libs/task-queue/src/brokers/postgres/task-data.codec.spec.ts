import { describe, expect, it } from '@jest/globals';
import { assert, jsonValue, property, string } from 'fast-check';

import { decodeTaskData, encodeTaskData } from './task-data.codec.js';

/** What a jsonb column makes of a JSON text, as far as these tests need it. */
function throughJsonb(text: string): string {
  const value: unknown = JSON.parse(text);
  expect(JSON.stringify(value)).not.toMatch(/(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i);
  const spaced = JSON.stringify(value, null, 1);
  return spaced.replace(/^\{\n (".*": )/, '{$1').replace(/\n\}$/, '}');
}

describe('task data in a jsonb column', () => {
  it('leaves the usual message as it is', () => {
    const data = JSON.stringify({ v: 1, a: '[[1,"\u00e4\u{1f600}"],{}]', h: {} });
    expect(encodeTaskData(data)).toBe(data);
    expect(decodeTaskData(data)).toBe(data);
  });

  it.each([
    ['the escape of NUL', '{"a":"x\\u0000y"}'],
    ['the escape of a lone surrogate', '{"a":"\\ud800"}'],
    ['the escape of a lone surrogate in capitals', '{"a":"\\uDFFF"}'],
    ['an escaped escape of NUL', '{"a":"[\\"\\\\u0000\\"]"}'],
    ['text that is no JSON', 'not JSON'],
    ['JSON that is no object', '[1,2]'],
    ['nothing', ''],
  ])('gives %s back exactly', (_, data) => {
    expect(decodeTaskData(throughJsonb(encodeTaskData(data)))).toBe(data);
  });

  it('turns a lone surrogate into its escape, which means the same', () => {
    const stored = throughJsonb(encodeTaskData('{"a":"\ud800 \udc00"}'));
    expect(decodeTaskData(stored)).toBe('{"a":"\\ud800 \\udc00"}');
  });

  it('gives every message back with the same meaning', () => {
    assert(
      property(string({ unit: 'binary' }), jsonValue(), (text, value) => {
        const data = JSON.stringify({ v: 1, a: text, h: { value, nul: '\0', lone: '\ud834' } });
        const back = decodeTaskData(throughJsonb(encodeTaskData(data)));
        expect(JSON.parse(back)).toEqual(JSON.parse(data));
      }),
    );
  });

  it("leaves other producers' jobs alone", () => {
    for (const data of ['{}', '{"celery.text": 1}', '{"x": 1, "celery.text": "y"}']) {
      expect(decodeTaskData(data)).toBe(data);
    }
  });
});
