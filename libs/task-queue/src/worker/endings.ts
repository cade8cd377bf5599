import type { Delivery, ResultRecord } from '../brokers/broker.port.js';
import type { Clock } from '../clock/index.js';
import type { TaskHooks } from '../events/index.js';
import { type Retry, NotRegistered, WorkerLostError } from '../errors/task-queue.errors.js';
import type { TaskContext } from '../tasks/index.js';
import type { RecordedRequest, ResultRecorder, RevokeReason } from '../results/index.js';
import type { ReadTask } from './delivery.reader.js';
import type { Ending } from './ending.interface.js';
import { putBackMessage, retryMessage } from './next-run.message.js';
import type { ResultStorer } from './result.storer.js';
import type { TaskLog } from './task.log.js';

export interface EndingSettings {
  readonly taskMaxRedeliveries: number;
  readonly taskMaxPayloadBytes: number;
  /** Seconds. */
  readonly taskUnknownGrace: number;
}

export interface EndingsDeps {
  readonly recorder: ResultRecorder;
  readonly settings: EndingSettings;
  readonly clock: Clock;
  readonly log: TaskLog;
  readonly hooks: TaskHooks;
}

/** A task of unknown name is looked at this often during its grace. */
const LOOKS_PER_GRACE = 6;
const LONGEST_LOOK_PAUSE = 10_000;

/** Makes the endings of deliveries: what is recorded, published and logged with each. */
export class Endings {
  constructor(
    private readonly deps: EndingsDeps,
    private readonly storer: ResultStorer,
  ) {}

  /**
   * An ending with a record: in the broker's own step, or stored elsewhere first.
   *
   * @param recorded - Called when it is recorded.
   * @param deadLetter - Why the message is kept in the dead-letter list.
   */
  async finish(
    request: RecordedRequest,
    record: ResultRecord | undefined,
    recorded?: () => void,
    deadLetter?: string,
  ): Promise<Ending> {
    const kept = deadLetter === undefined ? {} : { deadLetter };
    const told = recorded ? { recorded } : {};
    if (!record || this.storer.inBroker) {
      return { kind: 'finish', outcome: { ...kept, ...(record && { record }) }, ...told };
    }
    await this.storer.outcome(request, record);
    return { kind: 'finish', outcome: { ...kept, announce: record.payload }, ...told };
  }

  /**
   * The task runs again under a new message, with the state RETRY in between.
   *
   * @throws EncodeError - The new message cannot be made.
   */
  async retry(read: ReadTask, context: TaskContext, retry: Retry): Promise<Ending> {
    const { clock, hooks, log, settings } = this.deps;
    const { request } = read;
    const task = retryMessage(read, retry, clock.now(), settings.taskMaxPayloadBytes);
    const record = this.retryRecord(request, retry);
    const recorded = (): void => {
      log.retried(shownName(read), request.id, retry.message);
      const { cause = null, message: reason } = retry;
      hooks.retry(context, { error: cause, reason, retryAt: task.dueAt ?? null });
      hooks.postrun(context, 'RETRY', retry);
    };
    const told = { recorded };
    if (!record || this.storer.inBroker) {
      return { kind: 'retry', task, outcome: record ? { record } : {}, ...told };
    }
    await this.storer.passing(request, record);
    return { kind: 'retry', task, outcome: { announce: record.payload }, ...told };
  }

  /** Whether the task may be put back once more. */
  mayPutBack({ redeliveries }: ReadTask): boolean {
    return redeliveries < this.deps.settings.taskMaxRedeliveries;
  }

  /** Why the task is not put back any more. */
  putBackTooOften({ redeliveries }: ReadTask): string {
    return (
      `It was delivered again ${redeliveries} times, as often as task_max_redeliveries ` +
      `(${this.deps.settings.taskMaxRedeliveries}) allows, and would be put back once more. ` +
      'Look for why it does not succeed, or raise task_max_redeliveries.'
    );
  }

  /** The task ran and is put back as it is, to the end of its queue. */
  putBack(read: ReadTask, recorded?: () => void): Ending {
    return {
      kind: 'retry',
      task: putBackMessage(read),
      outcome: {},
      ...(recorded ? { recorded } : {}),
    };
  }

  invalid({ lease, name }: Delivery, error: Error): Promise<Ending> {
    const { hooks, log, recorder } = this.deps;
    const request = bareRequest(lease.id, name);
    return this.finish(
      request,
      recorder.failure(request, error),
      () => {
        log.invalid(lease.id, lease.queue, error.message);
        hooks.rejected({ id: lease.id, task: name }, error.message, false);
      },
      error.message,
    );
  }

  /** A fault of ours: the message is not lost, and the log says what happened. */
  faulty({ lease, name }: Delivery, error: unknown): Promise<Ending> {
    const { log, recorder } = this.deps;
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const request = bareRequest(lease.id, name);
    return this.finish(
      request,
      recorder.failure(request, error),
      () => log.fault(lease.id, lease.queue, reason),
      `The worker failed: ${reason}`,
    );
  }

  revoked(read: ReadTask, reason: RevokeReason): Promise<Ending> {
    const { hooks, log, recorder } = this.deps;
    const { request } = read;
    return this.finish(request, recorder.revoked(request, reason), () => {
      log.revoked(shownName(read), request.id);
      hooks.revoked(request, reason);
    });
  }

  unknownTask({ delivery, request }: ReadTask): Promise<Ending> | Ending {
    const { hooks, log, recorder, settings } = this.deps;
    if (delivery.postponements === 0) {
      hooks.unknown(request.task, request.id);
    }
    const grace = settings.taskUnknownGrace * 1000;
    const pause = Math.min(grace / LOOKS_PER_GRACE, LONGEST_LOOK_PAUSE);
    if (grace > 0 && delivery.postponements * pause < grace) {
      log.unknown(request.task, request.id, pause / 1000);
      return { kind: 'postpone', delay: pause };
    }
    const record = recorder.failure(request, new NotRegistered(request.task));
    return this.finish(request, record, () => log.notRegistered(request.task, request.id));
  }

  /** Its worker was lost, and the task may not run again. */
  workerLost(read: ReadTask, context: TaskContext): Promise<Ending> {
    const { hooks, log, recorder } = this.deps;
    const { request } = read;
    const error = new WorkerLostError(
      'Worker exited prematurely: the worker that held this task was lost, and by acksLate or ' +
        'rejectOnWorkerLost the task is not run again.',
    );
    error.stack = undefined;
    return this.finish(request, recorder.failure(request, error), () => {
      log.raisedUnexpected(shownName(read), request.id, error);
      hooks.failure(context, error);
    });
  }

  lostTooOften({ redeliveries, request }: ReadTask, context: TaskContext): Promise<Ending> {
    const { hooks, log, recorder, settings } = this.deps;
    const reason =
      `A worker was lost while it ran this task, or the task was put back, ${redeliveries} ` +
      `times: more than task_max_redeliveries (${settings.taskMaxRedeliveries}) allows. Look ` +
      'for what ends the workers (memory, process.exit, a kill), or raise task_max_redeliveries.';
    const error = new WorkerLostError(reason);
    return this.finish(
      request,
      recorder.failure(request, error),
      () => {
        log.lostTooOften(request.task, request.id, reason);
        hooks.failure(context, error);
      },
      reason,
    );
  }

  private retryRecord(request: RecordedRequest, retry: Retry): ResultRecord | undefined {
    try {
      return this.deps.recorder.retry(request, retry);
    } catch (error) {
      this.deps.log.warn(`The state RETRY of ${request.id} could not be stored: ${String(error)}`);
      return undefined;
    }
  }
}

/** The name of the task as the logs show it. */
export function shownName({ request }: Pick<ReadTask, 'request'>): string {
  return request.shadow ?? request.task;
}

/** All that is known of a message that cannot be read. */
function bareRequest(id: string, task: string): RecordedRequest {
  return { id, task, args: [], kwargs: {}, retries: 0 };
}
