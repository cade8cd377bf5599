import { inspect } from 'node:util';
import { ConsoleLogger, type LoggerService, type LogLevel } from '@nestjs/common';
import { isError } from '../errors/task-queue.errors.js';
import type { WorkerLogLevel } from './worker-options.js';

const NEST_LEVELS: Readonly<Record<WorkerLogLevel, LogLevel[]>> = {
  debug: ['verbose', 'debug', 'log', 'warn', 'error', 'fatal'],
  info: ['log', 'warn', 'error', 'fatal'],
  warning: ['warn', 'error', 'fatal'],
  error: ['error', 'fatal'],
  critical: ['fatal'],
};

/** Celery's line format. */
export const CELERY_LOG_FORMAT = '[%(asctime)s: %(levelname)s/%(processName)s] %(message)s';

const CELERY_NAMES: Readonly<Record<LogLevel, string>> = {
  verbose: 'DEBUG',
  debug: 'DEBUG',
  log: 'INFO',
  warn: 'WARNING',
  error: 'ERROR',
  fatal: 'CRITICAL',
};

const COLOURS: Partial<Record<LogLevel, number>> = { warn: 33, error: 31, fatal: 35 };

export interface WorkerLoggerOptions {
  readonly level: WorkerLogLevel;
  /** `nest`, `celery`, `json`, or a format with Celery's `%(...)s` fields. */
  readonly format: string;
  /** `null`: when the log goes to a terminal. */
  readonly color: boolean | null;
}

/** The logger of a worker process, for `app.useLogger`. */
export function createWorkerLogger(options: WorkerLoggerOptions): LoggerService {
  const logLevels = NEST_LEVELS[options.level];
  const colors = options.color ?? process.stdout.isTTY ?? false;
  if (options.format === 'nest') {
    return new ConsoleLogger({ logLevels, colors });
  }
  if (options.format === 'json') {
    return new ConsoleLogger({ logLevels, json: true, colors: false });
  }
  const format = options.format === 'celery' ? CELERY_LOG_FORMAT : options.format;
  return new FormatLogger(format, new Set(logLevels), colors);
}

/** Writes lines in a format with Python's fields: asctime, levelname, processName, message, name. */
class FormatLogger implements LoggerService {
  constructor(
    private readonly format: string,
    private readonly levels: ReadonlySet<LogLevel>,
    private readonly colors: boolean,
  ) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.write('log', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('verbose', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  /** Nest passes the stack of an error before the context, and the context last. */
  private write(level: LogLevel, message: unknown, rest: unknown[]): void {
    if (!this.levels.has(level)) {
      return;
    }
    const last = rest.at(-1);
    const isBareStack = level === 'error' && rest.length === 1 && isStack(last);
    const stack = level === 'error' && (isBareStack || rest.length > 1) ? rest[0] : undefined;
    const fields = new Map([
      ['asctime', formatTime(new Date())],
      ['levelname', CELERY_NAMES[level]],
      ['processName', 'MainProcess'],
      ['message', textOf(message)],
      ['name', typeof last === 'string' && !isBareStack ? last : ''],
    ]);
    const line = this.format.replace(
      /%\((\w+)\)s/g,
      (whole, field: string) => fields.get(field) ?? whole,
    );
    const text = typeof stack === 'string' ? `${line}\n${stack}` : line;
    const colour = COLOURS[level];
    process.stdout.write(
      this.colors && colour !== undefined ? `\u001b[${colour}m${text}\u001b[0m\n` : `${text}\n`,
    );
  }
}

/** A logger without a context passes the stack alone. */
function isStack(value: unknown): boolean {
  return typeof value === 'string' && /\n\s+at /.test(value);
}

function textOf(message: unknown): string {
  if (typeof message === 'string') {
    return message;
  }
  if (isError(message)) {
    return message.stack ?? String(message);
  }
  return inspect(message, { breakLength: Infinity, compact: true });
}

/** `2026-11-20 06:50:44,861`, local time, as Python's logging writes it. */
function formatTime(date: Date): string {
  const pad = (value: number, width = 2): string => String(value).padStart(width, '0');
  return (
    `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ` +
    `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())},` +
    pad(date.getMilliseconds(), 3)
  );
}
