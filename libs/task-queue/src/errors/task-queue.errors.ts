/**
 * The one tree of errors.
 *
 * ```
 * TaskQueueError
 * |-- ImproperlyConfigured        a setting or a decorator is wrong; found at start
 * |-- OperationalError            the broker or the result store cannot be reached
 * |-- EncodeError                 a value cannot be put into a message or a result
 * |-- DecodeError                 a message or a result cannot be read
 * |   `-- ContentDisallowed       its content type is not in `accept_content`
 * |-- NotRegistered               no task of that name is known here
 * |-- TimeoutError                waiting for a result took longer than allowed
 * |-- TaskRevokedError            the task was revoked, terminated or has expired
 * |-- WorkerLostError             the process that ran the task died
 * |-- LeaseLostError              the task was handed to another worker meanwhile
 * |-- TaskFailure                 a task failed with an error class unknown in this process
 * `-- ControlFlow                 not failures: how a task tells the worker what to do
 *     |-- Ignore                  record nothing
 *     `-- Reject                  refuse the message, or put it back
 * ```
 *
 * `instanceof` works across copies of this module and across realms: a class is recognised by
 * its brand, not by its identity.
 */
import { IntrinsicException } from '@nestjs/common';

const BRAND_PREFIX = 'nestjs-celery.error.';

/** Gives `target` an `instanceof` that recognises the brand instead of the prototype. */
function branded(name: string) {
  return (target: abstract new (...args: any[]) => Error): void => {
    const brand = Symbol.for(BRAND_PREFIX + name);
    Object.defineProperty(target.prototype, brand, { value: true });
    Object.defineProperty(target.prototype, 'name', {
      value: name,
      configurable: true,
      writable: true,
    });
    Object.defineProperty(target, Symbol.hasInstance, {
      value(this: unknown, value: unknown): boolean {
        // A user's own subclass inherits this method but has no brand of its own.
        if (this !== target) {
          return Function.prototype[Symbol.hasInstance].call(this as () => void, value);
        }
        return typeof value === 'object' && value !== null && brand in value;
      },
    });
  };
}

/** Root of every error that this library throws. */
@branded('TaskQueueError')
export class TaskQueueError extends Error {}

/** A setting, a decorator or an option is wrong. Thrown at start, never later. */
@branded('ImproperlyConfigured')
export class ImproperlyConfigured extends TaskQueueError {}

/**
 * The broker or the result store cannot be reached or refused the command. `cause` holds the
 * driver's error. Nothing was stored when a publish ends with it, unless the connection broke
 * while the answer was on its way; publishing again with the same task id is safe.
 */
@branded('OperationalError')
export class OperationalError extends TaskQueueError {}

/** A value cannot be encoded. `path` says where it sits, for example `args[0].user.avatar`. */
@branded('EncodeError')
export class EncodeError extends TaskQueueError {
  constructor(
    message: string,
    readonly path: string = '',
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A message or a result cannot be decoded. */
@branded('DecodeError')
export class DecodeError extends TaskQueueError {}

/** The content type of a message is not among `accept_content`. */
@branded('ContentDisallowed')
export class ContentDisallowed extends DecodeError {}

/** No task of this name is registered in this process. */
@branded('NotRegistered')
export class NotRegistered extends TaskQueueError {
  constructor(
    readonly taskName: string,
    message = `No task named '${taskName}' is registered.`,
  ) {
    super(message);
  }
}

/** The result did not arrive within the time allowed. The task itself goes on. */
@branded('TimeoutError')
export class TimeoutError extends TaskQueueError {
  constructor(message = 'The operation timed out.', options?: ErrorOptions) {
    super(message, options);
  }
}

/** The task was revoked. The message is `revoked`, `terminated` or `expired`, as in Celery. */
@branded('TaskRevokedError')
export class TaskRevokedError extends TaskQueueError {
  constructor(message = 'revoked') {
    super(message);
  }
}

/** The worker process that ran the task died, and the task may not be run again. */
@branded('WorkerLostError')
export class WorkerLostError extends TaskQueueError {}

/** The lease on the task was lost: another worker has it, and nothing can be recorded here. */
@branded('LeaseLostError')
export class LeaseLostError extends TaskQueueError {
  constructor(readonly taskId: string) {
    super(
      `The lease on task ${taskId} was lost: it expired before this worker could record the ` +
        'outcome, and the task was handed on. Nothing was recorded here.',
    );
  }
}

/**
 * What `get()` throws for a failure whose class this process does not know. `name` is the name
 * of the original class, `module` says where it came from, `args` what it was made with.
 */
@branded('TaskFailure')
export class TaskFailure extends TaskQueueError {
  constructor(
    name: string,
    message: string,
    readonly args: readonly unknown[] = [],
    readonly module: string | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = name;
  }
}

/**
 * Root of the errors that are not failures but instructions to the worker. They extend Nest's
 * `IntrinsicException`, so that Nest's exception filters do not log them.
 */
@branded('ControlFlow')
export class ControlFlow extends IntrinsicException {
  static {
    // A control-flow error is a TaskQueueError by brand, though its class extends Nest's.
    Object.defineProperty(this.prototype, Symbol.for(`${BRAND_PREFIX}TaskQueueError`), {
      value: true,
    });
  }
}

/** Thrown by a task: end here and record no outcome. Celery's `Ignore`. */
@branded('Ignore')
export class Ignore extends ControlFlow {}

/**
 * Thrown by a task: refuse the message. Celery's `Reject`.
 *
 * @param reason - Kept with the message in the dead-letter list.
 * @param requeue - `true` puts the message back to be run again at once. Default `false`.
 */
@branded('Reject')
export class Reject extends ControlFlow {
  constructor(
    readonly reason?: string,
    readonly requeue = false,
  ) {
    super(reason);
  }
}

/**
 * Whether `value` is an Error of any realm. Errors made by Node's core inside a VM context (as
 * under Jest) fail `instanceof Error`.
 */
export function isError(value: unknown): value is Error {
  return (
    value instanceof Error ||
    (typeof value === 'object' &&
      value !== null &&
      /^\[object (Error|DOMException)\]$/.test(Object.prototype.toString.call(value)))
  );
}
