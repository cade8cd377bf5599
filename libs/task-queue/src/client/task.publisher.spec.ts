import { hostname } from 'node:os';

import { describe, expect, it } from '@jest/globals';

import type { OutgoingTask } from '../brokers/broker.port.js';
import { ManualClock } from '../clock/manual.clock.js';
import { EncodeError, ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { CodecRegistry, decodeArgs, decodeEnvelope, type TaskHeaders } from '../messages/index.js';
import { TaskContext, TaskRequest } from '../tasks/index.js';
import type { MergedOptions } from './options.merger.js';
import { TaskPublisher } from './task.publisher.js';

const NOW = Date.UTC(2026, 0, 1);
const OPTIONS: MergedOptions = {
  queue: 'celery',
  priority: 0,
  serializer: 'json',
  ignored: false,
  policy: null,
};
const published: OutgoingTask[] = [];
const codecs = new CodecRegistry();
const publisher = new TaskPublisher(
  {
    description: 'test://',
    publish: async (tasks) => void published.push(...tasks),
  },
  { taskMaxPayloadBytes: 1_000, taskPublishTimeout: 5 },
  codecs,
  new ManualClock(NOW),
);

function outgoing(options: Partial<MergedOptions> = {}, args: unknown[] = [2, 3], kwargs = {}) {
  return publisher.outgoing({ name: 'app.add', args, kwargs, options: { ...OPTIONS, ...options } });
}

function headersOf(task: OutgoingTask): TaskHeaders {
  return decodeEnvelope(task.data, { acceptContent: codecs.acceptList(['json']) }).headers;
}

describe('TaskPublisher', () => {
  it('sends nothing but what is needed', () => {
    const task = outgoing();
    expect(task).toEqual({
      id: expect.stringMatching(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      ),
      name: 'app.add',
      queue: 'celery',
      data: JSON.stringify({
        v: 1,
        a: '[[2,3]]',
        h: { origin: `gen${process.pid}@${hostname()}` },
      }),
    });
    expect(outgoing().id > task.id).toBe(true);
  });

  it('sends what the options say', () => {
    const task = outgoing({
      queue: 'mail',
      priority: 7,
      taskId: 'order-7',
      dueAt: NOW + 10_000,
      expiresAt: NOW + 60_000,
      shadow: 's',
      argsRepr: '(hidden)',
      kwargsRepr: '{hidden}',
      headers: { 'x-my': 1 },
      ignoreResult: true,
      rootId: 'root',
      parentId: 'parent',
    });
    expect(task).toMatchObject({
      id: 'order-7',
      queue: 'mail',
      priority: 7,
      dueAt: NOW + 10_000,
      expiresAt: NOW + 60_000,
    });
    expect(headersOf(task)).toEqual({
      origin: `gen${process.pid}@${hostname()}`,
      eta: '2026-01-01T00:00:10.000+00:00',
      expires: '2026-01-01T00:01:00.000+00:00',
      priority: 7,
      shadow: 's',
      argsrepr: '(hidden)',
      kwargsrepr: '{hidden}',
      headers: { 'x-my': 1 },
      ignore_result: true,
      root_id: 'root',
      parent_id: 'parent',
    });
  });

  it('carries the keyword arguments', () => {
    const { data } = outgoing({}, [1], { pdf: true });
    const { payload } = decodeEnvelope(data, { acceptContent: codecs.acceptList(['json']) });
    expect(decodeArgs(payload)).toEqual({ args: [1], kwargs: { pdf: true } });
  });

  it('knows the task that it is called from', () => {
    const request = new TaskRequest({
      message: { id: 'parent', task: 'app.parent', headers: { root_id: 'root' } },
      args: [],
      kwargs: {},
      hostname: 'celery@host',
      queue: 'celery',
    });
    const context = new TaskContext({ request, services: { updateState: async () => undefined } });
    const inside = TaskContext.run(context, () => outgoing());
    expect(headersOf(inside)).toMatchObject({ root_id: 'root', parent_id: 'parent' });
    const chosen = TaskContext.run(context, () => outgoing({ rootId: 'r', parentId: 'p' }));
    expect(headersOf(chosen)).toMatchObject({ root_id: 'r', parent_id: 'p' });
  });

  it('refuses what cannot be encoded, with its path', () => {
    expect(() => outgoing({}, [{ user: { onClick: () => 1 } }])).toThrow(EncodeError);
    expect(() => outgoing({}, [{ user: { onClick: () => 1 } }])).toThrow(
      /args\[0\]\.user\.onClick/,
    );
    expect(() => outgoing({}, [], { a: Symbol('x') })).toThrow(/kwargs\.a/);
  });

  it('refuses what is too large', () => {
    expect(() => outgoing({}, ['x'.repeat(1_000)])).toThrow(/task_max_payload_bytes/);
  });

  it('refuses a codec that it does not know', () => {
    expect(() => outgoing({ serializer: 'pickle' })).toThrow(ImproperlyConfigured);
  });

  it('gives the id once the task is stored', async () => {
    const id = await publisher.publish({
      name: 'app.add',
      args: [1],
      kwargs: {},
      options: OPTIONS,
    });
    expect(published.map((task) => task.id)).toEqual([id]);
  });
});
