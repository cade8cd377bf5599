import { describe, expect, it } from '@jest/globals';

import { DecodeError, EncodeError } from '../errors/task-queue.errors.js';
import { childIds, decodeMeta, encodeMeta, isoWithOffset } from './task-meta.codec.js';
import type { ResultTuple, TaskMeta } from './task-meta.interface.js';

const META: TaskMeta = {
  status: 'SUCCESS',
  result: 5,
  traceback: null,
  children: [],
  date_done: '2026-01-01T00:00:00.000+00:00',
  task_id: 'a1',
};

describe('encodeMeta', () => {
  it('begins with the status and has the fields of Celery, in its order', () => {
    expect(encodeMeta(META)).toBe(
      '{"status":"SUCCESS","result":5,"traceback":null,"children":[],' +
        '"date_done":"2026-01-01T00:00:00.000+00:00","task_id":"a1"}',
    );
  });

  it('keeps the extended fields and the typed values', () => {
    const meta: TaskMeta = {
      ...META,
      result: { at: new Date(0), big: 2n ** 70n, nan: Number.NaN },
      children: [[['c1', null], null]],
      group_id: 'g',
      parent_id: 'p',
      name: 'app.add',
      args: [new Date(5), 'x'],
      kwargs: { key: new Set([1]) },
      worker: 'celery@host',
      retries: 2,
      queue: 'mail',
    };
    expect(decodeMeta(encodeMeta(meta))).toEqual(meta);
  });

  it('makes null of a result that is undefined', () => {
    expect(JSON.parse(encodeMeta({ ...META, result: undefined }))).toMatchObject({ result: null });
  });

  it('keeps quotes in a state of the task', () => {
    const text = encodeMeta({ ...META, status: 'A "B"' });
    expect(text.startsWith('{"status":"A \\"B\\""')).toBe(true);
    expect(decodeMeta(text).status).toBe('A "B"');
  });

  it('names the path of what cannot be encoded', () => {
    const encode = (): string => encodeMeta({ ...META, result: { list: [() => 1] } });
    expect(encode).toThrow(EncodeError);
    expect(encode).toThrow(/result\.list\[0\]/);
  });
});

describe('decodeMeta', () => {
  it('reads what Celery 5.4 writes', () => {
    const text =
      '{"status": "FAILURE", "result": {"exc_type": "ValueError", "exc_message": ["bad"], ' +
      '"exc_module": "builtins"}, "traceback": "Traceback ...", "children": [[["c", null], null]], ' +
      '"date_done": "2026-11-20T06:54:38.656756+00:00", "task_id": "d3c7"}';
    expect(decodeMeta(text)).toEqual({
      status: 'FAILURE',
      result: { exc_type: 'ValueError', exc_message: ['bad'], exc_module: 'builtins' },
      traceback: 'Traceback ...',
      children: [[['c', null], null]],
      date_done: '2026-11-20T06:54:38.656756+00:00',
      task_id: 'd3c7',
    });
  });

  it('fills what is missing', () => {
    expect(decodeMeta('{"status":"PROGRESS"}', 'x')).toEqual({
      status: 'PROGRESS',
      result: null,
      traceback: null,
      children: [],
      date_done: null,
      task_id: 'x',
    });
  });

  it('reads the bare NaN and Infinity of Python, and leaves texts alone', () => {
    const text =
      '{"status": "SUCCESS", "result": [NaN, Infinity, -Infinity, "NaN, \\" Infinity"], "task_id": "n"}';
    expect(decodeMeta(text).result).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      'NaN, " Infinity',
    ]);
  });

  it('leaves out fields of a wrong type', () => {
    const meta = decodeMeta(
      '{"status":"SUCCESS","children":"x","args":"(2, 3)","kwargs":[],"retries":"1","worker":1}',
      'x',
    );
    expect(meta).not.toHaveProperty('args');
    expect(meta).not.toHaveProperty('kwargs');
    expect(meta).not.toHaveProperty('retries');
    expect(meta).not.toHaveProperty('worker');
    expect(meta.children).toEqual([]);
  });

  it.each([
    '',
    'nonsense',
    '[]',
    'null',
    '5',
    '{}',
    '{"status":5}',
    '{"status":""}',
    '{"status":NaN',
  ])('refuses %j without quoting it', (text) => {
    const decode = (): TaskMeta => decodeMeta(text, 'the-id');
    expect(decode).toThrow(DecodeError);
    expect(decode).toThrow(/^The stored result of task the-id cannot be read: /);
  });

  it('survives a large text with many escapes', () => {
    const result = '\\"'.repeat(500_000);
    const text = `{"status":"SUCCESS","result":[${JSON.stringify(result)}, NaN]}`;
    expect(decodeMeta(text).result).toEqual([result, Number.NaN]);
  });
});

describe('childIds', () => {
  it('has the members of groups in their place', () => {
    const children: ResultTuple[] = [
      [['a', null], null],
      [
        ['group', null],
        [
          [['b', null], null],
          [['c', null], null],
        ],
      ],
    ];
    expect(childIds(children)).toEqual(['a', 'b', 'c']);
  });
});

describe('isoWithOffset', () => {
  it('has the offset that Celery writes', () => {
    expect(isoWithOffset(0)).toBe('1970-01-01T00:00:00.000+00:00');
  });
});
