import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { TaskRequest } from './task-request.js';
import type { TaskRequestInit } from './task-request.js';

const ID = 'b6dc8172-94cf-43b9-b8e4-2ed9d7693c9e';

function request(
  headers: TaskRequestInit['message']['headers'] = {},
  init: Partial<TaskRequestInit> = {},
): TaskRequest {
  return new TaskRequest({
    message: { id: ID, task: 'demoapp.tasks.debugTask', headers },
    args: [],
    kwargs: {},
    hostname: 'celery@host',
    queue: 'celery',
    ...init,
  });
}

describe('TaskRequest', () => {
  it('prints all fields on one line, in the order of Celery', () => {
    expect(inspect(request({ ignore_result: true, origin: 'gen1@host' }))).toBe(
      "<Context: { lang: 'js', task: 'demoapp.tasks.debugTask', " +
        `id: '${ID}', shadow: null, eta: null, expires: null, group: null, groupIndex: null, ` +
        `retries: 0, timelimit: [ null, null ], rootId: '${ID}', parentId: null, ` +
        "argsrepr: '()', kwargsrepr: '{}', origin: 'gen1@host', ignoreResult: true, " +
        'replacedTaskNesting: 0, stampedHeaders: null, stamps: {}, ' +
        `properties: { correlationId: '${ID}', replyTo: null, deliveryMode: 2, ` +
        "deliveryInfo: { exchange: '', routingKey: 'celery' }, priority: 0, " +
        "bodyEncoding: 'utf-8', deliveryTag: null }, replyTo: null, " +
        `correlationId: '${ID}', hostname: 'celery@host', ` +
        "deliveryInfo: { exchange: '', routingKey: 'celery', priority: 0, redelivered: false }, " +
        'args: [], kwargs: {}, isEager: false, callbacks: null, errbacks: null, chain: null, ' +
        'chord: null, calledDirectly: false, headers: null, _protected: 1 }>',
    );
  });

  it('prints within other values, also below the depth shown', () => {
    expect(inspect({ self: request() })).toContain("self: <Context: { lang: 'js'");
    expect(inspect({ a: { b: { c: { self: request() } } } }, { depth: 2 })).not.toContain('lang');
    expect(inspect([request()], { depth: 0 })).toBe('[ <Context> ]');
  });

  it('reads the headers of the message', () => {
    const read = request(
      {
        lang: 'py',
        shadow: 'shown',
        eta: '2030-01-01T00:00:00+00:00',
        expires: '2030-01-02T00:00:00+00:00',
        group: 'g',
        group_index: 0,
        retries: 2,
        timelimit: [90, 60],
        root_id: 'root',
        parent_id: 'parent',
        argsrepr: '(...)',
        kwargsrepr: '{...}',
        replaced_task_nesting: 1,
        stamped_headers: ['tenant'],
        stamps: { tenant: 'a' },
        priority: 7,
        headers: { trace: 't' },
      },
      { redelivered: true, isEager: true, deliveryTag: 'token', args: [1], kwargs: { x: 2 } },
    );
    expect(read.toJSON()).toMatchObject({
      lang: 'py',
      shadow: 'shown',
      eta: '2030-01-01T00:00:00+00:00',
      expires: '2030-01-02T00:00:00+00:00',
      group: 'g',
      groupIndex: 0,
      retries: 2,
      timelimit: [90, 60],
      rootId: 'root',
      parentId: 'parent',
      argsrepr: '(...)',
      kwargsrepr: '{...}',
      replacedTaskNesting: 1,
      stampedHeaders: ['tenant'],
      stamps: { tenant: 'a' },
      properties: { priority: 7, deliveryTag: 'token' },
      deliveryInfo: { priority: 7, redelivered: true },
      args: [1],
      kwargs: { x: 2 },
      isEager: true,
      headers: { trace: 't' },
    });
  });

  it('takes null in a header for the default', () => {
    const nulls = { lang: null, root_id: null, retries: null, timelimit: null, stamps: null };
    expect(request(nulls).toJSON()).toEqual(request().toJSON());
  });

  it('lets the worker decide about the result', () => {
    expect(request({ ignore_result: true }, { ignoreResult: false }).ignoreResult).toBe(false);
    expect(request({}, { ignoreResult: true }).ignoreResult).toBe(true);
  });

  it('redacts secrets in the representations of the arguments only', () => {
    const kwargs = { password: 'hunter2' };
    const read = request({}, { args: [2, 3], kwargs });
    expect(read.argsrepr).toBe('(2, 3)');
    expect(read.kwargsrepr).toBe("{'password': '********'}");
    expect(read.kwargs).toBe(kwargs);
  });

  it('turns into JSON with all fields', () => {
    expect(JSON.parse(JSON.stringify(request()))).toMatchObject({
      correlationId: ID,
      argsrepr: '()',
    });
  });
});
