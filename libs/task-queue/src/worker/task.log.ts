import { reprValue } from '../messages/index.js';
import { isError } from '../errors/task-queue.errors.js';

/** Where lines go; Nest's `Logger` fits. */
export interface TaskLogSink {
  log(message: string): void;
  warn(message: string): void;
  error(message: string, stack?: string): void;
}

/** Longest repr of a result or an error in a line, characters. */
const REPR_LENGTH = 256;

/**
 * The worker's lines about tasks, worded as Celery words them. Lines below the level asked for
 * are not even composed.
 */
export class TaskLog {
  constructor(
    private readonly sink: TaskLogSink,
    private readonly isInfo: boolean,
  ) {}

  received(name: string, id: string): void {
    if (this.isInfo) {
      this.sink.log(`Task ${name}[${id}] received`);
    }
  }

  /** @param runtime - Seconds. */
  succeeded(name: string, id: string, runtime: number, value: unknown): void {
    if (this.isInfo) {
      const result = reprValue(value, REPR_LENGTH);
      this.sink.log(`Task ${name}[${id}] succeeded in ${runtime.toFixed(4)}s: ${result}`);
    }
  }

  raisedExpected(name: string, id: string, thrown: unknown): void {
    if (this.isInfo) {
      this.sink.log(`Task ${name}[${id}] raised expected: ${reprThrown(thrown)}`);
    }
  }

  raisedUnexpected(name: string, id: string, thrown: unknown): void {
    const stack = isError(thrown) ? thrown.stack : undefined;
    this.sink.error(`Task ${name}[${id}] raised unexpected: ${reprThrown(thrown)}`, stack);
  }

  ignored(name: string, id: string): void {
    if (this.isInfo) {
      this.sink.log(`Task ${name}[${id}] ignored`);
    }
  }

  rejected(name: string, id: string, requeue: boolean): void {
    this.sink.warn(`Task ${name}[${id}] reject requeue=${requeue ? 'yes' : 'no'}`);
  }

  revoked(name: string, id: string): void {
    if (this.isInfo) {
      this.sink.log(`Discarding revoked task: ${name}[${id}]`);
    }
  }

  /** @param delay - Seconds until the task is looked at again. */
  unknown(name: string, id: string, delay: number): void {
    this.sink.warn(
      `Received unregistered task of type '${reprValue(name, 80).slice(1, -1)}'[${id}]. It is put back ` +
        `for ${delay.toFixed(0)}s, for a worker that knows it.`,
    );
  }

  notRegistered(name: string, id: string): void {
    this.sink.error(
      `Received unregistered task of type '${reprValue(name, 80).slice(1, -1)}'[${id}]. No worker took it ` +
        'within task_unknown_grace: it ends FAILURE NotRegistered. Check that the module with ' +
        'this task is imported by the worker, and the spelling of the name.',
    );
  }

  /** The message itself is never quoted: it may hold secrets. */
  invalid(id: string, queue: string, reason: string): void {
    this.sink.error(
      `Received invalid task message ${id} in queue '${queue}': ${reason} It is kept in the ` +
        'dead-letter list.',
    );
  }

  lostTooOften(name: string, id: string, reason: string): void {
    this.sink.error(`Task ${name}[${id}] is given up: ${reason}`);
  }

  warn(message: string): void {
    this.sink.warn(message);
  }
}

/** `ValueError('boom')`. */
export function reprThrown(thrown: unknown): string {
  if (!isError(thrown)) {
    return reprValue(thrown, REPR_LENGTH);
  }
  try {
    return `${thrown.name}(${reprValue(String(thrown.message), REPR_LENGTH)})`;
  } catch {
    return 'an error that cannot be shown';
  }
}
