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
 * |-- SoftTimeLimitExceeded       the task was asked to end: it ran longer than its soft limit
 * |-- TimeLimitExceeded           the task was ended: it ran longer than its hard limit
 * |-- MaxRetriesExceededError     a task asked to be retried once too often, and gave no error
 * |-- TaskFailure                 a task failed with an error class unknown in this process
 * `-- ControlFlow                 not failures: how a task tells the worker what to do
 *     |-- Ignore                  record nothing
 *     |-- Reject                  refuse the message, or put it back
 *     `-- Retry                   run the task again later
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
 * `retry()` was called when no retry was left, and was given no error to end with. The message is
 * Celery's: `Can't retry demoapp.tasks.add[<id>] args:(2, 3) kwargs:{}`.
 */
@branded('MaxRetriesExceededError')
export class MaxRetriesExceededError extends TaskQueueError {}

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
 * @param requeue - `true` puts the message back to be run again at once, with
 * `request.deliveryInfo.redelivered` set; `task_max_redeliveries` times at most, and never with
 * `acksLate: false`. Default `false`.
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
 * The reason of `self.signal` when a task has run longer than its soft time limit. The task may
 * clean up and return or throw what it likes: that is its outcome.
 */
@branded('SoftTimeLimitExceeded')
export class SoftTimeLimitExceeded extends TaskQueueError {
  /** @param limit - The limit, seconds. */
  constructor(readonly limit?: number) {
    super(
      `The task ran longer than its soft time limit${limit === undefined ? '' : ` of ${limit} s`}. ` +
        'Do less in one task, or raise softTimeLimit or task_soft_time_limit.',
    );
  }
}

/** The outcome of a task that was ended because it ran longer than its hard time limit. */
@branded('TimeLimitExceeded')
export class TimeLimitExceeded extends TaskQueueError {
  /** @param limit - The limit, seconds. */
  constructor(readonly limit?: number) {
    super(
      `The task ran longer than its hard time limit${limit === undefined ? '' : ` of ${limit} s`} ` +
        'and was ended. Do less in one task, or raise timeLimit or task_time_limit.',
    );
  }
}

/** What is different in the next run of a retried task; what is absent stays as it was. */
export interface RetryChanges {
  readonly args?: readonly unknown[];
  readonly kwargs?: Readonly<Record<string, unknown>>;
  readonly queue?: string;
  /** 0 to 9, higher first. */
  readonly priority?: number;
  /** Seconds from the retry, or a point in time. */
  readonly expires?: number | Date;
  /** Laid over the headers of the call. */
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly shadow?: string;
  readonly ignoreResult?: boolean;
  readonly argsRepr?: string;
  readonly kwargsRepr?: string;
}

/**
 * Thrown by a task: run it again later. Celery's `Retry`. `TaskContext.retry()` makes and throws
 * it; `cause` is the error that the task is retried for.
 *
 * @param message - As Celery words it: `Retry in 3s: ValueError('boom')`.
 * @param when - Seconds to wait, or the time of the next run; `null`: the default of the task.
 * @param changes - What is different in the next run.
 */
@branded('Retry')
export class Retry extends ControlFlow {
  // Not enumerable: the fields of an error are stored with it, and arguments may be secret.
  declare readonly changes: RetryChanges;

  constructor(
    message = 'Task can be retried',
    readonly when: number | Date | null = null,
    changes: RetryChanges = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    Object.defineProperty(this, 'changes', { value: changes });
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
