import { inspect } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import { isError } from '../../errors/task-queue.errors.js';
import type { LogMethod } from './child.messages.js';
import type { ParentPort } from './parent.port.js';

/**
 * Sends the lines of a child to the worker, which writes them in its own format and level. Until
 * the child is ready only errors are sent: the worker has said the rest for itself.
 */
export class ChildLogger implements LoggerService {
  private isBooting = true;

  constructor(private readonly port: Pick<ParentPort, 'send'>) {}

  booted(): void {
    this.isBooting = false;
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write('log', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('verbose', message, rest);
  }

  private write(level: LogMethod, message: unknown, rest: readonly unknown[]): void {
    if (this.isBooting && level !== 'error' && level !== 'fatal') {
      return;
    }
    this.port.send({ type: 'log', level, message: textOf(message), rest: rest.map(textOf) });
  }
}

function textOf(value: unknown): string {
  if (typeof value === 'string') {
    return value;
  }
  return isError(value) ? (value.stack ?? String(value)) : inspect(value);
}
