import { ControlFlow, MaxRetriesExceededError, Retry } from '../errors/task-queue.errors.js';
import { reprArgs, reprKwargs, reprValue } from '../messages/repr.js';
import { readDuration } from '../settings/readers/duration.reader.js';
import { autoretryDelay } from './retry.delay.js';
import type { RetryOptions } from './retry-options.interface.js';
import { readRetryOptions } from './retry-options.reader.js';
import type { SharedTaskOptions } from './task-options.interface.js';
import type { TaskRequest } from './task-request.js';

/** The retry defaults of Celery. */
const DEFAULT_MAX_RETRIES = 3;
const DEFAULT_RETRY_DELAY = 180;

/** Longest repr of an error in the message of a `Retry`. */
const REPR_LENGTH = 256;

/** Told of a `retryDelay` that failed. */
export type Warn = (message: string) => void;

/** Decides on the retries of one run of a task: how many are left, and when the next is. */
export class TaskRetries {
  private made: Set<Retry> | undefined;
  private maxRetries: number | undefined;
  private kept: Retry | undefined;

  constructor(
    private readonly request: TaskRequest,
    private readonly options: Readonly<SharedTaskOptions>,
    private readonly warn: Warn,
  ) {}

  /** What `retry({ throw: false })` gave, to be carried out when the task ends. */
  get pending(): Retry | undefined {
    return this.kept;
  }

  /**
   * Makes the `Retry` that was asked for.
   *
   * @throws `exc`, or MaxRetriesExceededError without one, when no retry is left.
   * @throws TypeError - An option is wrong.
   */
  ask(given: RetryOptions): Retry {
    const { changes, when: asked, maxRetries } = readRetryOptions(given);
    const { exc } = given;
    // As in Celery, the automatic retries of this run go by it, too.
    this.maxRetries = maxRetries ?? this.maxRetries;
    const when = asked ?? delayOf(this.options.defaultRetryDelay);
    if (this.request.retries + 1 > (maxRetries ?? this.most())) {
      throw exc ?? this.exceeded(changes);
    }
    const cause = exc === undefined || exc === null ? undefined : { cause: exc };
    const retry = new Retry(messageOf(when, exc), when, changes, cause);
    (this.made ??= new Set()).add(retry);
    if (given.throw === false) this.kept = retry;
    return retry;
  }

  /** What a run ends with that threw `thrown`: the same, a `Retry`, or why there is none left. */
  settle(thrown: unknown): unknown {
    if (thrown instanceof Retry) {
      return this.made?.has(thrown) ? thrown : this.attempt(thrown.cause, thrown.when ?? undefined);
    }
    if (thrown instanceof ControlFlow) return thrown;
    const when = this.automaticDelay(thrown);
    if (when === undefined) return thrown;
    const countdown = this.options.retryKwargs?.countdown;
    return this.attempt(thrown, when === 'default' ? countdown : when);
  }

  private attempt(exc: unknown, when: number | string | Date | undefined): unknown {
    try {
      const maxRetries = this.maxRetries ?? this.options.retryKwargs?.maxRetries;
      const at = when instanceof Date ? { eta: when } : { countdown: when };
      return this.ask({ exc, maxRetries, ...at });
    } catch (exhausted) {
      return exhausted;
    }
  }

  private automaticDelay(thrown: unknown): ReturnType<typeof autoretryDelay> {
    try {
      return autoretryDelay(this.options, thrown, this.request);
    } catch (error) {
      const { id, task } = this.request;
      this.warn(
        `The retryDelay of ${task} failed for ${reprValue(thrown, REPR_LENGTH)}, and the task ` +
          `${id} is not retried: ${reprValue(error, REPR_LENGTH)}`,
      );
      return undefined;
    }
  }

  private most(): number {
    const { maxRetries = DEFAULT_MAX_RETRIES } = this.options;
    return this.maxRetries ?? maxRetries ?? Infinity;
  }

  private exceeded({ args, argsRepr, kwargs, kwargsRepr }: Retry['changes']): Error {
    const { argsrepr, id, kwargsrepr, task } = this.request;
    const shownArgs = argsRepr ?? (args ? reprArgs(args) : argsrepr);
    const shownKwargs = kwargsRepr ?? (kwargs ? reprKwargs(kwargs) : kwargsrepr);
    return new MaxRetriesExceededError(
      `Can't retry ${task}[${id}] args:${shownArgs} kwargs:${shownKwargs}`,
    );
  }
}

function delayOf(delay: number | string | undefined): number {
  return readDuration(delay) ?? DEFAULT_RETRY_DELAY;
}

function messageOf(when: number | Date, exc: unknown): string {
  const time = typeof when === 'number' ? `in ${when}s` : `at ${when.toISOString()}`;
  return exc === undefined || exc === null
    ? `Retry ${time}`
    : `Retry ${time}: ${reprValue(exc, REPR_LENGTH)}`;
}
