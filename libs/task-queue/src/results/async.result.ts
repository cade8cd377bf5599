import type { RevokeAnswer } from '../brokers/broker.port.js';
import { TaskQueueError, TaskRevokedError } from '../errors/task-queue.errors.js';
import { decodeError, parseIsoDate, type EncodedError } from '../messages/index.js';
import type { ResultServices, RevokeOptions } from './result-services.interface.js';
import { childIds, decodeMeta } from './task-meta.codec.js';
import type { ResultTuple, TaskMeta } from './task-meta.interface.js';
import { isExceptionState, isPropagateState, isReadyState, type TaskState } from './task-state.js';

/** How `get()` waits. */
export interface GetOptions {
  /** Seconds to wait at most. Default: for ever. 0 looks once. The task itself goes on. */
  readonly timeout?: number | null;
  /** Throw the error of a failed or revoked task; `false` resolves with it. Default `true`. */
  readonly propagate?: boolean;
  /** Gives the wait up when it aborts; `get()` then rejects with its reason. */
  readonly signal?: AbortSignal;
  /**
   * Refuse to wait inside a running task, where it would hold the slot of the very worker that
   * may have to run the other task. Default `true`.
   */
  readonly disableSyncSubtasks?: boolean;
}

/** What may be known of a result besides its id. */
export interface AsyncResultOptions {
  /** The result of the task that comes before, in a chain. */
  readonly parent?: AsyncResult | null;
  /** The call said, or its task or the settings, that nothing will be stored. */
  readonly ignored?: boolean;
}

const NEVER_WITHIN_A_TASK =
  'Never call result.get() within a task! It holds a slot of the worker while it waits, and when ' +
  'all slots wait like this, none is left for the tasks they wait for. Let the worker call the ' +
  'next task instead, or pass { disableSyncSubtasks: false } if the other task runs elsewhere. ' +
  'See https://docs.celeryq.dev/en/latest/userguide/tasks.html#avoid-launching-synchronous-subtasks';

/**
 * The handle to the result of a task, by the task's id. Celery's `AsyncResult`.
 *
 * An id of which nothing is stored reads PENDING, whether it waits, has been forgotten or never
 * was; `exists()` tells these apart. Everything that asks the store throws OperationalError when
 * it cannot be reached. A final result is remembered once it was seen.
 */
export class AsyncResult<R = unknown> {
  /** The id of the task. */
  readonly id: string;
  /** The result of the task that comes before, in a chain; else `null`. */
  readonly parent: AsyncResult | null;
  /** Whether it is known that nothing will be stored: then `get()` resolves with `null` at once. */
  readonly ignored: boolean;
  #final: TaskMeta | undefined;
  #error: Error | undefined;
  readonly #services: ResultServices;

  constructor(id: string, services: ResultServices, options: AsyncResultOptions = {}) {
    this.id = id;
    this.#services = services;
    this.parent = options.parent ?? null;
    this.ignored = options.ignored ?? false;
  }

  /**
   * Waits for the task and resolves with what it returned; with `null` at once when the result
   * is ignored.
   *
   * @throws TimeoutError - `timeout` is over.
   * @throws TaskRevokedError - The task was revoked, was terminated or has expired.
   * @throws TaskQueueError - Called inside a running task.
   * @throws OperationalError - The broker or the result store cannot be reached.
   * @throws The error of the failed task: of its own class when this process knows the class,
   * else a `TaskFailure` of that name.
   */
  async get(options: GetOptions = {}): Promise<R> {
    if (this.ignored) return null as R;
    if (this.#final === undefined) {
      if ((options.disableSyncSubtasks ?? true) && this.#services.insideTask()) {
        throw new TaskQueueError(NEVER_WITHIN_A_TASK);
      }
      this.#final = await this.#services.waiter.wait(this.id, options);
    }
    const meta = this.#final;
    if (!isPropagateState(meta.status)) return meta.result as R;
    const error = this.errorOf(meta);
    if (options.propagate ?? true) throw error;
    return error as R;
  }

  /** PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED, or a state that the task set itself. */
  async state(): Promise<TaskState> {
    return (await this.meta())?.status ?? 'PENDING';
  }

  /** The same as `state()`. Celery's `status`. */
  status(): Promise<TaskState> {
    return this.state();
  }

  /**
   * The returned value, the error of a task that failed, was revoked or is retried, or what the
   * task said of its state; `null` while nothing is stored. Does not wait.
   */
  async info(): Promise<unknown> {
    const meta = await this.meta();
    if (meta === undefined) return null;
    return isExceptionState(meta.status) ? this.errorOf(meta) : meta.result;
  }

  /** The same as `info()`. */
  result(): Promise<unknown> {
    return this.info();
  }

  /** Whether the task has ended: SUCCESS, FAILURE or REVOKED. */
  async ready(): Promise<boolean> {
    return isReadyState(await this.state());
  }

  /** Whether the task has ended well. */
  async successful(): Promise<boolean> {
    return (await this.state()) === 'SUCCESS';
  }

  /** Whether the task has failed; `false` for a revoked one, as in Celery. */
  async failed(): Promise<boolean> {
    return (await this.state()) === 'FAILURE';
  }

  /** Whether the task is known: it waits, is running, or something is stored of it. */
  async exists(): Promise<boolean> {
    // In this order: a task that ends in between is found by the second look.
    return (
      this.#final !== undefined ||
      (await this.#services.locate(this.id)) !== undefined ||
      (await this.meta()) !== undefined
    );
  }

  /** The stack of a failure; else `null`. */
  async traceback(): Promise<string | null> {
    return (await this.meta())?.traceback ?? null;
  }

  /** When the task ended; `null` while it has not. */
  async dateDone(): Promise<Date | null> {
    const text = (await this.meta())?.date_done ?? null;
    return text === null ? null : parseIsoDate(text);
  }

  /** The tasks that this one published, as stored with its result. */
  async children(): Promise<AsyncResult[]> {
    const ids = childIds((await this.meta())?.children ?? []);
    return ids.map((id) => new AsyncResult(id, this.#services));
  }

  /** The name of the task. Like the five below, `null` without `result_extended`. */
  async name(): Promise<string | null> {
    return (await this.meta())?.name ?? null;
  }

  async args(): Promise<readonly unknown[] | null> {
    return (await this.meta())?.args ?? null;
  }

  async kwargs(): Promise<Readonly<Record<string, unknown>> | null> {
    return (await this.meta())?.kwargs ?? null;
  }

  /** The worker that ran the task, for example `celery@host`. */
  async worker(): Promise<string | null> {
    return (await this.meta())?.worker ?? null;
  }

  /** How often the task was retried. */
  async retries(): Promise<number | null> {
    return (await this.meta())?.retries ?? null;
  }

  /** The queue that the task came from. */
  async queue(): Promise<string | null> {
    return (await this.meta())?.queue ?? null;
  }

  /**
   * Revokes the task. One that waits, is delayed or is to be retried ends REVOKED at once and
   * never runs; one that runs is told through `self.signal`, and ends REVOKED when it is
   * terminated or throws the signal's reason. Revokes are kept in the store: they reach workers
   * that start later, and a task that is published later under this id. Celery's `revoke`.
   *
   * @returns `ended`, `active` when a worker runs it, or `unknown` when it is not in the store.
   * @throws OperationalError - The broker cannot be reached.
   */
  revoke(options: RevokeOptions = {}): Promise<RevokeAnswer> {
    return this.#services.revoke(this.id, options);
  }

  /** Removes what is stored, also of the parents; the id reads PENDING again. */
  async forget(): Promise<void> {
    this.#final = undefined;
    this.#error = undefined;
    await this.#services.backend.forget(this.id);
    await this.parent?.forget();
  }

  /**
   * Calls `callback` with what is stored now, if anything, and with each state stored later, the
   * final one last. Celery's `get(on_message=...)`. Never called for an ignored result.
   *
   * @returns The function that ends it; after the final state it has ended by itself.
   */
  onMessage(callback: (meta: TaskMeta) => void): () => void {
    if (this.ignored) return () => undefined;
    const warn = (message: string): void => this.#services.warn(message);
    return this.#services.waiter.subscribe(this.id, {
      onMeta: (meta) => {
        try {
          callback(meta);
        } catch (error) {
          warn(`A callback of onMessage() for task ${this.id} threw: ${String(error)}`);
        }
      },
      onError: (error) =>
        warn(`onMessage() for task ${this.id} ends here, call it again: ${error.message}`),
    });
  }

  /** `[[id, parent], null]`, as Celery writes a handle into a message. */
  toJSON(): ResultTuple {
    return [[this.id, this.parent?.toJSON() ?? null], null];
  }

  /** The id, so that a handle can stand in a text. */
  toString(): string {
    return this.id;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `<${this.constructor.name}: ${this.id}>`;
  }

  /** What is stored, or `undefined`. A final result is asked for once. */
  protected async meta(): Promise<TaskMeta | undefined> {
    if (this.#final !== undefined) return this.#final;
    const text = await this.#services.backend.get(this.id);
    if (text === undefined) return undefined;
    const meta = decodeMeta(text, this.id);
    if (isReadyState(meta.status)) this.#final = meta;
    return meta;
  }

  /** The error of a final result is built once, so that each `get()` throws the same one. */
  protected errorOf(meta: TaskMeta): Error {
    if (!isReadyState(meta.status)) return this.rebuild(meta);
    this.#error ??= this.rebuild(meta);
    return this.#error;
  }

  private rebuild(meta: TaskMeta): Error {
    const stored = meta.result as Partial<EncodedError> | null;
    const error = decodeError(
      typeof stored === 'object' && stored !== null && meta.traceback !== null
        ? { exc_stack: meta.traceback, ...stored }
        : stored,
      this.#services.errorClasses(),
    );
    // Whatever is stored with it, REVOKED is a TaskRevokedError.
    return meta.status === 'REVOKED' && !(error instanceof TaskRevokedError)
      ? new TaskRevokedError(error.message)
      : error;
  }
}
