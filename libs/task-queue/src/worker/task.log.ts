import { maskUrlPasswords, reprValue } from '../messages/index.js';
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
      this.sink.log(`Task ${label(name, id)} received`);
    }
  }

  /** @param runtime - Seconds. */
  succeeded(name: string, id: string, runtime: number, value: unknown): void {
    if (this.isInfo) {
      const result = reprValue(value, REPR_LENGTH);
      this.sink.log(`Task ${label(name, id)} succeeded in ${runtime.toFixed(4)}s: ${result}`);
    }
  }

  raisedExpected(name: string, id: string, thrown: unknown): void {
    if (this.isInfo) {
      this.sink.log(`Task ${label(name, id)} raised expected: ${reprValue(thrown, REPR_LENGTH)}`);
    }
  }

  raisedUnexpected(name: string, id: string, thrown: unknown): void {
    const what = `Task ${label(name, id)} raised unexpected: ${reprValue(thrown, REPR_LENGTH)}`;
    this.sink.error(what, stackOf(thrown));
  }

  /** @param what - The message of the `Retry`. */
  retried(name: string, id: string, what: string): void {
    if (this.isInfo) {
      this.sink.log(`Task ${label(name, id)} retry: ${oneLine(what)}`);
    }
  }

  /** A task that failed, and is not acknowledged. */
  putBack(name: string, id: string): void {
    this.sink.warn(`Task ${label(name, id)} is put back unacknowledged, to be run again`);
  }

  ignored(name: string, id: string): void {
    if (this.isInfo) {
      this.sink.log(`Task ${label(name, id)} ignored`);
    }
  }

  rejected(name: string, id: string, requeue: boolean): void {
    this.sink.warn(`Task ${label(name, id)} reject requeue=${requeue ? 'yes' : 'no'}`);
  }

  revoked(name: string, id: string): void {
    if (this.isInfo) {
      this.sink.log(`Discarding revoked task: ${label(name, id)}`);
    }
  }

  /** @param delay - Seconds until the task is looked at again. */
  unknown(name: string, id: string, delay: number): void {
    this.sink.warn(
      `Received unregistered task of type '${label(name)}'[${label(id)}]. It is put back ` +
        `for ${Number(delay.toFixed(1))}s, for a worker that knows it.`,
    );
  }

  notRegistered(name: string, id: string): void {
    this.sink.error(
      `Received unregistered task of type '${label(name)}'[${label(id)}]. No worker took it ` +
        'within task_unknown_grace: it ends FAILURE NotRegistered. Check that the module with ' +
        'this task is imported by the worker, and the spelling of the name.',
    );
  }

  /** The message itself is never quoted: it may hold secrets. */
  invalid(id: string, queue: string, reason: string): void {
    this.sink.error(
      `Received invalid task message ${label(id)} in queue '${queue}': ${reason} It is kept in ` +
        'the dead-letter list.',
    );
  }

  /** @param reason - With the stack: the fault is in the worker, not in the message. */
  fault(id: string, queue: string, reason: string): void {
    this.sink.error(
      `The worker failed on task message ${label(id)} in queue '${queue}'. It is kept in the ` +
        'dead-letter list. Please report this.',
      reason,
    );
  }

  lostTooOften(name: string, id: string, reason: string): void {
    this.sink.error(`Task ${label(name, id)} is given up: ${reason}`);
  }

  warn(message: string): void {
    this.sink.warn(message);
  }
}

/** What an error says of itself, on one line. */
function oneLine(text: string): string {
  return UNPRINTABLE.test(text) ? shown(text, REPR_LENGTH) : text;
}

const LONGEST_LABEL = 200;
// Names and ids may come from anybody: one with a line break could forge a line of the log.
const UNPRINTABLE = /[\p{C}\u2028\u2029]/u;

/** `demoapp.tasks.add[<id>]`, on one line. */
function label(name: string, id?: string): string {
  const text = name.length > LONGEST_LABEL || UNPRINTABLE.test(name) ? shown(name) : name;
  return id === undefined ? text : `${text}[${label(id)}]`;
}

function shown(text: string, length = LONGEST_LABEL): string {
  return reprValue(text, length).slice(1, -1);
}

function stackOf(thrown: unknown): string | undefined {
  try {
    const stack: unknown = isError(thrown) ? thrown.stack : undefined;
    // The first line of a stack is the message, which may quote a URL.
    return typeof stack === 'string' ? maskUrlPasswords(stack) : undefined;
  } catch {
    return undefined;
  }
}
