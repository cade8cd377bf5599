import { AsyncLocalStorage } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import type { TaskRequest } from './task-request.js';

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

  static {
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
