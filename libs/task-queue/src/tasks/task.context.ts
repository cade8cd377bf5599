import { AsyncLocalStorage } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import { Retry } from '../errors/task-queue.errors.js';
import type { RetryOptions } from './retry-options.interface.js';
import type { TaskRequest } from './task-request.js';
import type { TaskRetries } from './task.retries.js';

/** What a running task may ask of the worker. */
export interface TaskServices {
  /** Stores a state of the running task. */
  updateState(
    context: TaskContext,
    state: string,
    meta: Readonly<Record<string, unknown>>,
  ): Promise<void>;
}

/** What a `TaskContext` is made of. */
export interface TaskContextInit {
  readonly request: TaskRequest;
  readonly services: TaskServices;
}

/** The worker's end of a `TaskContext`. */
export interface TaskContextControl {
  readonly context: TaskContext;
  /** Aborts `context.signal` with `reason`. Only the first call counts. */
  readonly abort: (reason: unknown) => void;
}

// One storage for all applications of the process: the context tells them apart.
const storage = new AsyncLocalStorage<TaskContext>();

const NO_HEADERS: Readonly<Record<string, unknown>> = Object.freeze({});

let abortContext: (context: TaskContext, reason: unknown) => void;
let setRetries: (context: TaskContext, retries: TaskRetries | undefined) => void;

/**
 * The running task, as the task sees it: Celery's `self` of a bound task. A method with
 * `bind: true` gets it as its first argument, `@TaskCtx()` injects it, `TaskContext.current()`
 * finds it anywhere below the running task, and `@Inject(REQUEST)` gives it to request-scoped
 * providers.
 */
export class TaskContext {
  /** The message that is being run. */
  readonly request: TaskRequest;

  readonly #services: TaskServices;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #logger: Logger | undefined;
  /** Only while the task runs. */
  #retries: TaskRetries | undefined;

  static {
    setRetries = (context, retries) => {
      context.#retries = retries;
    };
    abortContext = (context, reason) => context.#abort(reason);
  }

  constructor(init: TaskContextInit) {
    this.request = init.request;
    this.#services = init.services;
  }

  /**
   * The context of the task that is running here, or `undefined` outside a task. Within a task
   * that runs inside another (an eager call), the inner one.
   */
  static current(): TaskContext | undefined {
    return storage.getStore();
  }

  /** Calls `fn` so that `TaskContext.current()` is `context` in it and in all it starts. */
  static run<R, A extends unknown[]>(context: TaskContext, fn: (...args: A) => R, ...args: A): R {
    return storage.run(context, fn, ...args);
  }

  /** The name of the task. */
  get name(): string {
    return this.request.task;
  }

  /** The headers given at the call; empty when none were given. */
  get headers(): Readonly<Record<string, unknown>> {
    return this.request.headers ?? NO_HEADERS;
  }

  /**
   * Aborts when the task is asked to end; `signal.reason` says why. Pass it on to what takes an
   * AbortSignal, such as `fetch`.
   */
  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted) {
        this.#controller.abort(this.#aborted.reason);
      }
    }
    return this.#controller.signal;
  }

  /** A logger whose lines carry the name and the id of the task: `[demoapp.tasks.add[<id>]]`. */
  get logger(): Logger {
    return (this.#logger ??= new Logger(`${this.name}[${this.request.id}]`));
  }

  /**
   * Stores a state of the task, such as `PROGRESS`, for `AsyncResult.state()` and `info()`.
   * Celery's `update_state`.
   *
   * @param state - Any name. The first of SUCCESS, FAILURE and REVOKED is final.
   * @param meta - What `info()` gives. Default: empty.
   * @throws TypeError when the state is not a non-empty string.
   */
  async updateState(state: string, meta: Readonly<Record<string, unknown>> = {}): Promise<void> {
    if (typeof state !== 'string' || state === '') {
      throw new TypeError(
        "updateState() takes the name of a state first, for example 'PROGRESS', and it must " +
          'be a non-empty string.',
      );
    }
    await this.#services.updateState(this, state, meta);
  }

  /**
   * Ends this run, and has the task run again: same id, one more in `request.retries`, the state
   * RETRY in between. Celery's `self.retry`. `throw self.retry(...)` reads well and does the same.
   *
   * `expires`, the headers, the queue and the priority of the call stay unless an option says
   * otherwise. With `throw: false` it returns the `Retry`; see there.
   *
   * Outside the run of the task (in a test, or after its end) there is nothing to retry: it
   * throws `exc` then, or a `Retry` without one.
   *
   * @throws Retry - The task is to be run again; the worker takes it from there.
   * @throws `exc`, or MaxRetriesExceededError without one, when no retry is left.
   * @throws TypeError - An option is unknown or wrong.
   */
  retry(options?: RetryOptions & { readonly throw?: true | null }): never;
  retry(options: RetryOptions): Retry;
  retry(options: RetryOptions = {}): Retry {
    if (!this.#retries || storage.getStore() !== this) {
      throw options.exc ?? new Retry();
    }
    const retry = this.#retries.ask(options);
    if (options.throw === false) {
      return retry;
    }
    throw retry;
  }

  #abort(reason: unknown): void {
    this.#aborted ??= { reason };
    // A controller ignores all but its first abort.
    this.#controller?.abort(reason);
  }
}

/** Makes a context and, for the worker alone, the means to abort it. */
export function createTaskContext(init: TaskContextInit): TaskContextControl {
  const context = new TaskContext(init);
  return { context, abort: (reason) => abortContext(context, reason) };
}

/** From now on `context.retry()` asks `retries`. */
export function beginAttempt(context: TaskContext, retries: TaskRetries): void {
  setRetries(context, retries);
}

/** The run is over: there is nothing to retry any more. */
export function endAttempt(context: TaskContext): void {
  setRetries(context, undefined);
}
