import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { parseWorkerArguments } from './worker.cli.js';

let printed: string;

beforeEach(() => {
  printed = '';
  const print = (text: unknown): boolean => {
    printed += String(text);
    return true;
  };
  jest.spyOn(process.stdout, 'write').mockImplementation(print);
  jest.spyOn(process.stderr, 'write').mockImplementation(print);
});

afterEach(() => {
  jest.restoreAllMocks();
});

describe('parseWorkerArguments', () => {
  it('says nothing of what was not asked for', () => {
    expect(parseWorkerArguments([])).toEqual({ kind: 'run', options: {} });
  });

  it('reads the short flags of Celery', () => {
    const argv = ['-c', '4', '-Q', 'high,low', '-X', 'low', '-n', 'mail@%h', '-l', 'warning'];
    expect(parseWorkerArguments([...argv, '-P', 'async'])).toEqual({
      kind: 'run',
      options: {
        concurrency: 4,
        pool: 'async',
        queues: ['high', 'low'],
        excludeQueues: ['low'],
        hostname: 'mail@%h',
        logLevel: 'warning',
      },
    });
  });

  it('reads the long flags, with = too', () => {
    const argv = ['--concurrency=2', '--queues', ' a , ,b', '--exclude-queues=c'];
    expect(parseWorkerArguments([...argv, '--hostname=x', '--loglevel=DEBUG'])).toEqual({
      kind: 'run',
      options: {
        concurrency: 2,
        queues: ['a', 'b'],
        excludeQueues: ['c'],
        hostname: 'x',
        logLevel: 'debug',
      },
    });
  });

  it('takes FATAL for CRITICAL, as Celery does', () => {
    expect(parseWorkerArguments(['-l', 'FATAL'])).toMatchObject({
      options: { logLevel: 'critical' },
    });
  });

  it('takes arguments in quotes, as nest start hands them on', () => {
    expect(parseWorkerArguments(['"-c"', '"4"', '"-Q"', '"a,b"'])).toEqual({
      kind: 'run',
      options: { concurrency: 4, queues: ['a', 'b'] },
    });
  });

  it.each([
    [['-c', '0'], 'It must be a whole number of at least 1.'],
    [['-c', '1.5'], 'It must be a whole number of at least 1.'],
    [['-c', 'many'], 'It must be a whole number of at least 1.'],
    [['-Q', ','], 'It must name at least one queue.'],
    [['-l', 'loud'], 'It must be one of debug, info, warning, error, critical.'],
    [['-P', 'eventlet'], 'Allowed choices are async, prefork, threads, solo.'],
    [['--concurency', '4'], 'Did you mean --concurrency?'],
    [['more'], 'too many arguments'],
    [['-c'], 'argument missing'],
  ])('%j: says what is wrong, and exits', (argv, message) => {
    expect(parseWorkerArguments(argv)).toEqual({ kind: 'exit', code: 1 });
    expect(printed).toContain(message);
  });

  it.each(['-h', '--help'])('%s prints the flags and exits well', (flag) => {
    expect(parseWorkerArguments([flag])).toEqual({ kind: 'exit', code: 0 });
    for (const name of ['--concurrency', '--queues', '--exclude-queues', '--hostname', '--pool']) {
      expect(printed).toContain(name);
    }
  });
});
