import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ConsoleLogger, Logger } from '@nestjs/common';
import { CELERY_LOG_FORMAT, createWorkerLogger } from './worker.logger.js';

let written: string;

beforeEach(() => {
  written = '';
  const write = (text: unknown): boolean => {
    written += String(text);
    return true;
  };
  jest.spyOn(process.stdout, 'write').mockImplementation(write);
  jest.spyOn(process.stderr, 'write').mockImplementation(write);
});

afterEach(() => {
  jest.restoreAllMocks();
});

const celery = (format = 'celery', color: boolean | null = false) =>
  createWorkerLogger({ level: 'info', format, color });

describe('createWorkerLogger', () => {
  it("is Nest's logger by default, at the level asked for", () => {
    const logger = createWorkerLogger({ level: 'warning', format: 'nest', color: false });
    expect(logger).toBeInstanceOf(ConsoleLogger);
    logger.log('quiet');
    logger.warn('loud');
    expect(written).not.toContain('quiet');
    expect(written).toContain('loud');
  });

  it('writes JSON, a line each', () => {
    const logger = createWorkerLogger({ level: 'info', format: 'json', color: true });
    logger.log('hello', 'Task');
    expect(JSON.parse(written)).toMatchObject({ message: 'hello', context: 'Task', level: 'log' });
  });

  it("writes Celery's lines", () => {
    const logger = celery();
    logger.log('hello', 'Task');
    logger.warn('careful', 'Task');
    logger.fatal?.('the end', 'Task');
    const [first, second, third] = written.split('\n');
    expect(first).toMatch(/^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}: INFO\/MainProcess\] hello$/);
    expect(second).toMatch(/: WARNING\/MainProcess\] careful$/);
    expect(third).toMatch(/: CRITICAL\/MainProcess\] the end$/);
  });

  it.each([
    ['debug', ['v', 'd', 'l', 'w', 'e', 'f']],
    ['info', ['l', 'w', 'e', 'f']],
    ['warning', ['w', 'e', 'f']],
    ['error', ['e', 'f']],
    ['critical', ['f']],
  ] as const)('at level %s writes %j', (level, expected) => {
    const logger = createWorkerLogger({ level, format: '%(message)s', color: false });
    logger.verbose?.('v');
    logger.debug?.('d');
    logger.log('l');
    logger.warn('w');
    logger.error('e');
    logger.fatal?.('f');
    expect(written.trim().split('\n')).toEqual(expected);
  });

  it('fills a format of its own, and leaves fields that it does not know', () => {
    const logger = celery('%(levelname)s %(name)s %(thread)s %(constructor)s %(message)s $& $1');
    logger.log('a $& b', 'Ctx');
    expect(written).toBe('INFO Ctx %(thread)s %(constructor)s a $& b $& $1\n');
  });

  it('writes the stack of an error below the line, with and without a context', () => {
    const stack = 'Error: boom\n    at somewhere';
    celery('%(name)s|%(message)s').error('failed', stack, 'Ctx');
    celery('%(name)s|%(message)s').error('failed', stack);
    celery('%(name)s|%(message)s').error('failed', undefined, 'Ctx');
    celery('%(name)s|%(message)s').error('failed', 'Ctx');
    expect(written).toBe(`Ctx|failed\n${stack}\n|failed\n${stack}\nCtx|failed\nCtx|failed\n`);
  });

  it('writes anything: errors with their stack, objects, nothing', () => {
    const logger = celery('%(message)s');
    const cycle: Record<string, unknown> = { big: 1n };
    cycle['self'] = cycle;
    logger.error(new RangeError('boom'));
    logger.log(cycle);
    logger.log(undefined);
    logger.log({ a: [1, 2] });
    expect(written).toMatch(/RangeError: boom\n\s+at /);
    expect(written).toMatch(/big: 1n, self: \[Circular \*1\]/);
    expect(written).toMatch(/\nundefined\n\{ a: \[ 1, 2 \] \}\n$/);
  });

  it('colours warnings and errors when asked to', () => {
    const logger = celery('%(message)s', true);
    logger.log('plain');
    logger.warn('yellow');
    logger.error('red');
    expect(written).toBe('plain\n\u001b[33myellow\u001b[0m\n\u001b[31mred\u001b[0m\n');
  });

  it("serves Nest's Logger", () => {
    Logger.overrideLogger(celery(CELERY_LOG_FORMAT.replace('%(message)s', '%(name)s %(message)s')));
    try {
      new Logger('Task').error('failed', 'Error: x\n    at y');
      new Logger('Task').log('fine');
      expect(written).toMatch(
        /ERROR\/MainProcess\] Task failed\nError: x\n {4}at y\n\[.*INFO\/MainProcess\] Task fine\n$/,
      );
    } finally {
      Logger.overrideLogger(['log', 'warn', 'error', 'fatal']);
    }
  });
});
