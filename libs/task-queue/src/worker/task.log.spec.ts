import { beforeEach, describe, expect, it } from '@jest/globals';
import { TaskLog } from './task.log.js';

let lines: string[];
let stacks: (string | undefined)[];

function logOf(isInfo = true): TaskLog {
  return new TaskLog(
    {
      log: (message) => void lines.push(`log ${message}`),
      warn: (message) => void lines.push(`warn ${message}`),
      error: (message, stack) => {
        lines.push(`error ${message}`);
        stacks.push(stack);
      },
    },
    isInfo,
  );
}

beforeEach(() => {
  lines = [];
  stacks = [];
});

describe('TaskLog', () => {
  it('words its lines as Celery does', () => {
    const log = logOf();
    log.received('app.add', 'id-1');
    log.succeeded('app.add', 'id-1', 0.00104, 5);
    log.raisedExpected('app.add', 'id-1', new RangeError('boom'));
    log.raisedUnexpected('app.add', 'id-1', new RangeError('boom'));
    log.ignored('app.add', 'id-1');
    log.rejected('app.add', 'id-1', false);
    log.rejected('app.add', 'id-1', true);
    log.revoked('app.add', 'id-1');
    expect(lines).toEqual([
      'log Task app.add[id-1] received',
      'log Task app.add[id-1] succeeded in 0.0010s: 5',
      "log Task app.add[id-1] raised expected: RangeError('boom')",
      "error Task app.add[id-1] raised unexpected: RangeError('boom')",
      'log Task app.add[id-1] ignored',
      'warn Task app.add[id-1] reject requeue=no',
      'warn Task app.add[id-1] reject requeue=yes',
      'log Discarding revoked task: app.add[id-1]',
    ]);
  });

  it('below the level asked for composes nothing', () => {
    const log = logOf(false);
    const value = new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error('It was looked at.');
        },
      },
    );
    log.received('a', '1');
    log.succeeded('a', '1', 1, value);
    log.raisedExpected('a', '1', value);
    log.ignored('a', '1');
    log.revoked('a', '1');
    expect(lines).toEqual([]);
    log.raisedUnexpected('a', '1', 'boom');
    log.rejected('a', '1', false);
    log.unknown('a', '1', 10);
    expect(lines).toHaveLength(3);
  });

  it('cuts long results', () => {
    logOf().succeeded('a', '1', 1, 'x'.repeat(1000));
    expect(lines[0]!.length).toBeLessThan(320);
    expect(lines[0]).toMatch(/\.\.\.$/);
  });

  it('hides passwords in results, errors and stacks', () => {
    const log = logOf();
    log.succeeded('a', '1', 1, { password: 'hunter2', url: 'redis://u:hunter2@host' });
    log.raisedUnexpected('a', '1', new Error('cannot reach redis://u:hunter2@host'));
    expect(JSON.stringify([lines, stacks])).not.toContain('hunter2');
    expect(stacks[0]).toContain('cannot reach redis://u:');
    expect(stacks[0]).toMatch(/\n\s+at /);
  });

  it('survives whatever was thrown', () => {
    const log = logOf();
    const hostile = new Error('boom');
    Object.defineProperty(hostile, 'stack', {
      get: () => {
        throw new Error('no stack');
      },
    });
    Object.defineProperty(hostile, 'message', { value: Symbol('message') });
    log.raisedUnexpected('a', '1', hostile);
    log.raisedUnexpected('a', '1', undefined);
    log.raisedUnexpected('a', '1', Object.create(null));
    expect(stacks).toEqual([undefined, undefined, undefined]);
    expect(lines[1]).toBe('error Task a[1] raised unexpected: null');
  });

  it('keeps to one line whatever a name or an id holds', () => {
    const log = logOf();
    const bad = 'a\nb\u2028c\u001b[31m';
    log.received(bad, bad);
    log.succeeded(bad, bad, 1, bad);
    log.unknown(bad, bad, 1);
    log.notRegistered(bad, bad);
    log.invalid(bad, 'celery', 'It is malformed.');
    log.lostTooOften(bad, bad, 'It is so.');
    log.received('n'.repeat(10_000), 'i'.repeat(10_000));
    for (const line of lines) {
      expect(line).not.toMatch(/\p{C}|\u2028/u);
      expect(line.length).toBeLessThan(1000);
    }
  });

  it('says how to mend what can be mended', () => {
    const log = logOf();
    log.unknown('app.add', 'id-1', 0.5);
    log.notRegistered('app.add', 'id-1');
    log.invalid('id-1', 'celery', 'The task message is malformed.');
    log.fault('id-1', 'celery', 'Error: a bug\n    at x');
    log.warn('anything');
    expect(lines).toEqual([
      "warn Received unregistered task of type 'app.add'[id-1]. It is put back for 0.5s, for a " +
        'worker that knows it.',
      "error Received unregistered task of type 'app.add'[id-1]. No worker took it within " +
        'task_unknown_grace: it ends FAILURE NotRegistered. Check that the module with this task ' +
        'is imported by the worker, and the spelling of the name.',
      "error Received invalid task message id-1 in queue 'celery': The task message is " +
        'malformed. It is kept in the dead-letter list.',
      "error The worker failed on task message id-1 in queue 'celery'. It is kept in the " +
        'dead-letter list. Please report this.',
      'warn anything',
    ]);
    expect(stacks.at(-1)).toContain('a bug');
  });
});
