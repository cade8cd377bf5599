import type { ResultRecord } from '../brokers/broker.port.js';
import type { Clock } from '../clock/index.js';
import { EncodeError, type Retry, TaskRevokedError } from '../errors/task-queue.errors.js';
import { encodeError } from '../messages/index.js';
import { failureOf, shortened } from './failure.shortener.js';
import { encodeMeta, isoWithOffset } from './task-meta.codec.js';
import type { TaskMeta } from './task-meta.interface.js';
import { isReadyState, type TaskState } from './task-state.js';

/** The settings that decide what is stored. */
export interface RecorderSettings {
  readonly taskIgnoreResult: boolean;
  readonly taskStoreErrorsEvenIfIgnored: boolean;
  readonly taskTrackStarted: boolean;
  readonly resultExtended: boolean;
  /** Seconds; 0 or `null` for ever. */
  readonly resultExpires: number | null;
  readonly resultMaxPayloadBytes: number;
}

/** The options of a task that decide what is stored; they go before the settings. */
export interface RecordedTaskOptions {
  readonly ignoreResult?: boolean;
  readonly storeErrorsEvenIfIgnored?: boolean;
  readonly trackStarted?: boolean;
}

/** What is read of a request; `TaskRequest` has it. */
export interface RecordedRequest {
  readonly id: string;
  readonly task: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly retries: number;
  readonly parentId?: string | null;
  readonly group?: string | null;
  readonly hostname?: string | null;
  readonly deliveryInfo?: { readonly routingKey?: string | null } | null;
  /** What the call said of `ignoreResult`; nothing when it said nothing. */
  readonly ignoreResult?: boolean | null;
}

/** Why a task was revoked: the message of its `TaskRevokedError`. */
export type RevokeReason = 'revoked' | 'expired' | 'terminated';

/** Who runs a task: the result of its STARTED state. */
export interface StartedBy {
  readonly pid: number;
  readonly hostname: string;
}

type TaskOptionsOf = (taskName: string) => RecordedTaskOptions | undefined;

/**
 * Makes the records of what becomes of tasks; stores nothing itself. A method answers
 * `undefined` when, by the rules, nothing is to be stored:
 *
 * - a task that ignores its result (call, then task, then `task_ignore_result`) stores nothing,
 *   except its errors with `storeErrorsEvenIfIgnored` (task, then
 *   `task_store_errors_even_if_ignored`);
 * - STARTED is stored with `trackStarted` (task, then `task_track_started`).
 */
export class ResultRecorder {
  private readonly ttl: number | null;

  /** @param taskOptions - The options of a task by its name, when it is known here. */
  constructor(
    private readonly settings: RecorderSettings,
    private readonly clock: Clock,
    private readonly taskOptions: TaskOptionsOf = () => undefined,
  ) {
    const { resultExpires } = settings;
    this.ttl = resultExpires === null || resultExpires <= 0 ? null : resultExpires * 1000;
  }

  /** Whether the result of this call is ignored: call, then task, then setting. */
  ignores(request: Pick<RecordedRequest, 'task' | 'ignoreResult'>): boolean {
    return (
      request.ignoreResult ??
      this.taskOptions(request.task)?.ignoreResult ??
      this.settings.taskIgnoreResult
    );
  }

  /** STARTED, with who runs it. */
  started(request: RecordedRequest, by: StartedBy): ResultRecord | undefined {
    const tracked = this.taskOptions(request.task)?.trackStarted ?? this.settings.taskTrackStarted;
    return tracked ? this.custom(request, 'STARTED', { ...by }) : undefined;
  }

  /**
   * SUCCESS, with the value that the task returned.
   *
   * @throws EncodeError - The value cannot be encoded, or makes the result larger than
   * `result_max_payload_bytes`; `path` begins with `result`.
   */
  success(request: RecordedRequest, value: unknown): ResultRecord | undefined {
    if (this.ignores(request)) return undefined;
    return this.within(this.record(request, 'SUCCESS', value, null));
  }

  /** FAILURE, with the error. What was thrown may be anything; this never throws. */
  failure(request: RecordedRequest, thrown: unknown): ResultRecord | undefined {
    return this.storesErrors(request) ? this.failed(request, 'FAILURE', thrown) : undefined;
  }

  /**
   * RETRY, with the error that the task is retried for, or the `Retry` itself without one. As
   * every state that is not final it is not stored for an ignored result.
   */
  retry(request: RecordedRequest, retry: Retry): ResultRecord | undefined {
    return this.ignores(request) ? undefined : this.failed(request, 'RETRY', retry.cause ?? retry);
  }

  /**
   * REVOKED, with a `TaskRevokedError`.
   *
   * @param request - The id alone will do for a task that nobody has looked into; then only the
   * settings say whether it is stored.
   */
  revoked(request: RecordedRequest | string, reason: RevokeReason): ResultRecord | undefined {
    const error = new TaskRevokedError(reason);
    error.stack = undefined;
    if (typeof request !== 'string') {
      return this.storesErrors(request) ? this.failed(request, 'REVOKED', error) : undefined;
    }
    const { taskIgnoreResult, taskStoreErrorsEvenIfIgnored } = this.settings;
    return taskIgnoreResult && !taskStoreErrorsEvenIfIgnored
      ? undefined
      : this.failed(request, 'REVOKED', error);
  }

  /**
   * A state that the task sets itself, with what it says of it. Nothing is stored for an ignored
   * result: no final state would ever replace it.
   *
   * @throws TypeError - The state is not a string, or empty.
   * @throws EncodeError - As `success`.
   */
  custom(request: RecordedRequest, state: TaskState, meta?: unknown): ResultRecord | undefined {
    if (typeof state !== 'string' || state === '') {
      throw new TypeError(
        "A state is a string that is not empty: updateState('PROGRESS', { current: 1 }).",
      );
    }
    if (this.ignores(request)) return undefined;
    return this.within(this.record(request, state, meta, null));
  }

  private storesErrors(request: RecordedRequest): boolean {
    return (
      !this.ignores(request) ||
      (this.taskOptions(request.task)?.storeErrorsEvenIfIgnored ??
        this.settings.taskStoreErrorsEvenIfIgnored)
    );
  }

  private failed(
    request: RecordedRequest | string,
    state: 'FAILURE' | 'RETRY' | 'REVOKED',
    thrown: unknown,
  ): ResultRecord {
    const failure = failureOf(encodeError(thrown));
    const whole = this.record(request, state, failure.result, failure.traceback);
    if (!this.isTooLarge(whole.payload)) return whole;
    const { result, traceback } = shortened(failure, this.settings.resultMaxPayloadBytes);
    return this.record(request, state, result, traceback, false);
  }

  private record(
    request: RecordedRequest | string,
    status: TaskState,
    result: unknown,
    traceback: string | null,
    withExtended = this.settings.resultExtended,
  ): ResultRecord {
    const id = typeof request === 'string' ? request : request.id;
    const payload = encodeMeta({
      status,
      result,
      traceback,
      children: [],
      date_done: isReadyState(status) ? isoWithOffset(this.clock.now()) : null,
      task_id: id,
      ...(typeof request === 'string' ? undefined : lineage(request)),
      ...(typeof request !== 'string' && withExtended && extended(request)),
    });
    return { id, status, payload, ttl: this.ttl };
  }

  private within(record: ResultRecord): ResultRecord {
    if (!this.isTooLarge(record.payload)) return record;
    throw new EncodeError(
      `The result is too large to be stored: ${Buffer.byteLength(record.payload)} bytes, and ` +
        `result_max_payload_bytes allows ${this.settings.resultMaxPayloadBytes}. Return a ` +
        'reference to where the data is kept, or raise result_max_payload_bytes.',
      'result',
    );
  }

  private isTooLarge(payload: string): boolean {
    const limit = this.settings.resultMaxPayloadBytes;
    // A character is one to three bytes: most payloads need not be counted.
    if (payload.length * 3 <= limit) return false;
    return payload.length > limit || Buffer.byteLength(payload) > limit;
  }
}

function lineage({ group, parentId }: RecordedRequest): Partial<TaskMeta> {
  return {
    ...(typeof group === 'string' && { group_id: group }),
    ...(typeof parentId === 'string' && { parent_id: parentId }),
  };
}

function extended(request: RecordedRequest): Partial<TaskMeta> {
  const { deliveryInfo, hostname } = request;
  return {
    name: request.task,
    args: request.args,
    kwargs: request.kwargs,
    retries: request.retries,
    ...(typeof hostname === 'string' && { worker: hostname }),
    ...(typeof deliveryInfo?.routingKey === 'string' && { queue: deliveryInfo.routingKey }),
  };
}
