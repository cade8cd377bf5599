import { describe, expect, it } from '@jest/globals';

import type { ResultRecord } from '../brokers/broker.port.js';
import { ManualClock } from '../clock/manual.clock.js';
import { EncodeError, Retry } from '../errors/task-queue.errors.js';
import {
  type RecordedRequest,
  type RecordedTaskOptions,
  type RecorderSettings,
  ResultRecorder,
} from './result.recorder.js';
import { decodeMeta } from './task-meta.codec.js';
import type { TaskMeta } from './task-meta.interface.js';

const REQUEST: RecordedRequest = {
  id: 'a1',
  task: 'app.add',
  args: [2, 3],
  kwargs: {},
  retries: 1,
  hostname: 'celery@host',
  deliveryInfo: { routingKey: 'mail' },
};

function make(
  settings: Partial<RecorderSettings> = {},
  task?: RecordedTaskOptions,
): ResultRecorder {
  return new ResultRecorder(
    {
      taskIgnoreResult: false,
      taskStoreErrorsEvenIfIgnored: false,
      taskTrackStarted: false,
      resultExtended: false,
      resultExpires: 86_400,
      resultMaxPayloadBytes: 10_000,
      ...settings,
    },
    new ManualClock(Date.UTC(2026, 0, 1)),
    (name) => (name === 'app.add' ? task : undefined),
  );
}

function metaOf(record: ResultRecord | undefined): TaskMeta {
  expect(record).toBeDefined();
  expect(record!.payload.startsWith(`{"status":"${record!.status}"`)).toBe(true);
  return decodeMeta(record!.payload);
}

describe('ResultRecorder', () => {
  it('makes SUCCESS of a value', () => {
    const record = make().success(REQUEST, 5);
    expect(record).toMatchObject({ id: 'a1', status: 'SUCCESS', ttl: 86_400_000 });
    expect(metaOf(record)).toEqual({
      status: 'SUCCESS',
      result: 5,
      traceback: null,
      children: [],
      date_done: '2026-01-01T00:00:00.000+00:00',
      task_id: 'a1',
    });
  });

  it('makes FAILURE of an error, its stack in the traceback alone', () => {
    const error = new RangeError('too far', { cause: new Error('why') });
    const meta = metaOf(make().failure(REQUEST, error));
    expect(meta.status).toBe('FAILURE');
    expect(meta.traceback).toContain('result.recorder.spec');
    expect(meta.result).toMatchObject({
      exc_type: 'RangeError',
      exc_message: ['too far'],
      exc_module: 'builtins',
      exc_cause: { exc_type: 'Error', exc_message: ['why'] },
    });
    expect(meta.result).not.toHaveProperty('exc_stack');
  });

  it.each(['revoked', 'expired', 'terminated'] as const)('makes REVOKED (%s)', (reason) => {
    for (const record of [make().revoked(REQUEST, reason), make().revoked('a1', reason)]) {
      expect(metaOf(record)).toMatchObject({
        status: 'REVOKED',
        task_id: 'a1',
        traceback: null,
        date_done: '2026-01-01T00:00:00.000+00:00',
        result: { exc_type: 'TaskRevokedError', exc_message: [reason] },
      });
    }
  });

  it('says nothing of when a state that is not final was done', () => {
    const meta = metaOf(make().custom(REQUEST, 'PROGRESS', { current: 1 }));
    expect(meta).toMatchObject({ status: 'PROGRESS', result: { current: 1 }, date_done: null });
  });

  it('refuses a state that is not a name', () => {
    expect(() => make().custom(REQUEST, '')).toThrow(TypeError);
    expect(() => make().custom(REQUEST, 5 as never)).toThrow(TypeError);
  });

  describe('RETRY', () => {
    it('has the error that the task is retried for, and no end', () => {
      const retry = new Retry('Retry in 3s', 3, {}, { cause: new RangeError('boom') });
      const meta = metaOf(make().retry(REQUEST, retry));
      expect(meta).toMatchObject({
        status: 'RETRY',
        result: { exc_type: 'RangeError', exc_message: ['boom'], exc_module: 'builtins' },
        traceback: expect.stringContaining('boom'),
        date_done: null,
      });
    });

    it('has the Retry itself without one', () => {
      const meta = metaOf(make().retry(REQUEST, new Retry('Retry in 3s', 3, { args: ['secret'] })));
      expect(meta.result).toMatchObject({ exc_type: 'Retry', exc_message: ['Retry in 3s'] });
      expect(JSON.stringify(meta)).not.toContain('secret');
    });

    it('is not stored for an ignored result, for nothing would replace it', () => {
      const errors = { ignoreResult: true, storeErrorsEvenIfIgnored: true };
      expect(make({}, errors).retry(REQUEST, new Retry())).toBeUndefined();
    });
  });

  describe('STARTED', () => {
    const by = { pid: 7, hostname: 'celery@host' };

    it.each([
      [false, undefined, false],
      [true, undefined, true],
      [false, true, true],
      [true, false, false],
    ])('setting %p, task %p: %p', (taskTrackStarted, trackStarted, isStored) => {
      const task = trackStarted === undefined ? {} : { trackStarted };
      const record = make({ taskTrackStarted }, task).started(REQUEST, by);
      expect(record !== undefined).toBe(isStored);
    });

    it('says who runs the task', () => {
      const meta = metaOf(make({ taskTrackStarted: true }).started(REQUEST, by));
      expect(meta).toMatchObject({ status: 'STARTED', result: by, date_done: null });
    });

    it('is not stored for an ignored result', () => {
      const recorder = make({ taskTrackStarted: true, taskIgnoreResult: true });
      expect(recorder.started(REQUEST, by)).toBeUndefined();
    });
  });

  describe('an ignored result', () => {
    it.each([
      // setting, task, call, ignored
      [false, undefined, undefined, false],
      [true, undefined, undefined, true],
      [true, false, undefined, false],
      [false, true, undefined, true],
      [false, true, false, false],
      [true, false, true, true],
      [true, undefined, null, true],
    ])('setting %p, task %p, call %p: %p', (taskIgnoreResult, task, call, ignored) => {
      const recorder = make({ taskIgnoreResult }, task === undefined ? {} : { ignoreResult: task });
      const request = { ...REQUEST, ignoreResult: call };
      expect(recorder.ignores(request)).toBe(ignored);
      const records = [
        recorder.success(request, 1),
        recorder.failure(request, new Error('x')),
        recorder.revoked(request, 'revoked'),
        recorder.custom(request, 'PROGRESS'),
      ];
      expect(records.map((record) => record === undefined)).toEqual(Array(4).fill(ignored));
    });

    it.each([
      [false, undefined, false],
      [true, undefined, true],
      [true, false, false],
      [false, true, true],
    ])('stores its errors: setting %p, task %p: %p', (setting, task, isStored) => {
      const recorder = make(
        { taskStoreErrorsEvenIfIgnored: setting },
        { ignoreResult: true, ...(task !== undefined && { storeErrorsEvenIfIgnored: task }) },
      );
      expect(recorder.failure(REQUEST, new Error('x')) !== undefined).toBe(isStored);
      expect(recorder.revoked(REQUEST, 'expired') !== undefined).toBe(isStored);
      expect(recorder.success(REQUEST, 1)).toBeUndefined();
      expect(recorder.custom(REQUEST, 'PROGRESS')).toBeUndefined();
    });

    it('goes by the settings where only the id is known', () => {
      expect(make({ taskIgnoreResult: true }).revoked('a1', 'expired')).toBeUndefined();
      const storing = { taskIgnoreResult: true, taskStoreErrorsEvenIfIgnored: true };
      expect(make(storing).revoked('a1', 'expired')).toBeDefined();
    });
  });

  it.each([
    [0, null],
    [null, null],
    [60, 60_000],
  ])('makes the ttl of result_expires %p', (resultExpires, ttl) => {
    expect(make({ resultExpires }).success(REQUEST, 1)!.ttl).toBe(ttl);
  });

  it('adds what result_extended asks for', () => {
    const meta = metaOf(make({ resultExtended: true }).success(REQUEST, 1));
    expect(meta).toMatchObject({
      name: 'app.add',
      args: [2, 3],
      kwargs: {},
      worker: 'celery@host',
      retries: 1,
      queue: 'mail',
    });
  });

  it('keeps group and parent', () => {
    const meta = metaOf(make().success({ ...REQUEST, group: 'g', parentId: 'p' }, 1));
    expect(meta).toMatchObject({ group_id: 'g', parent_id: 'p' });
  });

  it('refuses a value that cannot be encoded, with the path', () => {
    const success = (): unknown => make().success(REQUEST, { a: [() => 1] });
    expect(success).toThrow(EncodeError);
    expect(success).toThrow(/result\.a\[0\]/);
  });

  it('refuses a value that is too large, by its bytes', () => {
    const recorder = make({ resultMaxPayloadBytes: 1_000 });
    expect(recorder.success(REQUEST, 'x'.repeat(800))).toBeDefined();
    const large = (): unknown => recorder.success(REQUEST, '\u20ac'.repeat(300));
    expect(large).toThrow(EncodeError);
    expect(large).toThrow(/10\d\d bytes, and result_max_payload_bytes allows 1000/);
    expect(() => recorder.custom(REQUEST, 'PROGRESS', 'x'.repeat(1_000))).toThrow(EncodeError);
  });

  it('shortens a failure that is too large instead of losing it', () => {
    const error = Object.assign(new Error('m'.repeat(5_000)), { detail: 'd'.repeat(3_000) });
    const recorder = make({ resultMaxPayloadBytes: 2_000, resultExtended: true });
    const record = recorder.failure({ ...REQUEST, group: 'g' }, error)!;
    expect(Buffer.byteLength(record.payload)).toBeLessThanOrEqual(2_000);
    const meta = metaOf(record);
    expect(meta.result).toMatchObject({ exc_type: 'Error', exc_module: 'builtins' });
    expect(meta.group_id).toBe('g');
  });
});
