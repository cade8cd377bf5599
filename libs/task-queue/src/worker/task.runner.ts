import { performance } from 'node:perf_hooks';
import type { Broker, Delivery, Lease, ResultRecord } from '../brokers/broker.port.js';
import type { Clock } from '../clock/index.js';
import {
  DecodeError,
  Ignore,
  LeaseLostError,
  NotRegistered,
  Reject,
  WorkerLostError,
} from '../errors/task-queue.errors.js';
import { decodeArgs, decodeEnvelope, parseIsoDate, type CodecRegistry } from '../messages/index.js';
import type { DecodedEnvelope } from '../messages/index.js';
import type { RecordedRequest, ResultBackend, ResultRecorder } from '../results/index.js';
import {
  createTaskContext,
  TaskRequest,
  type RegisteredTask,
  type TaskContext,
  type TaskContextControl,
  type TaskRegistry,
  type TaskServices,
} from '../tasks/index.js';
import type { Ending } from './ending.interface.js';
import { Pauses } from './pauses.js';
import type { Pool } from './pools/pool.port.js';
import type { TaskLog } from './task.log.js';

export interface RunnerSettings {
  readonly taskMaxRedeliveries: number;
  /** Seconds. */
  readonly taskUnknownGrace: number;
  readonly taskIgnoreResult: boolean;
}

export interface TaskRunnerDeps {
  readonly registry: Pick<TaskRegistry, 'get' | 'has'>;
  readonly recorder: ResultRecorder;
  readonly backend: ResultBackend;
  readonly broker: Pick<Broker, 'announce'>;
  readonly codecs: CodecRegistry;
  readonly acceptContent: ReadonlySet<string>;
  readonly settings: RunnerSettings;
  readonly clock: Clock;
  /** The node's name, `celery@host`. */
  readonly nodeName: string;
  readonly pool: Pool;
  readonly log: TaskLog;
}

/** Pauses between attempts to store a result elsewhere, milliseconds. */
const STORE_PAUSES = [50, 200, 1000, 5000] as const;

/** A task of unknown name is looked at this often during its grace. */
const LOOKS_PER_GRACE = 6;
const LONGEST_LOOK_PAUSE = 10_000;

/** A task that runs now. */
interface Run {
  readonly lease: Lease;
  readonly control: TaskContextControl;
  /** Its lease is over: nothing may be recorded any more. */
  isLost: boolean;
}

/** Turns a delivery into an ending: reads the message, runs the task, makes the record. */
export class TaskRunner implements TaskServices {
  private readonly running = new Map<RecordedRequest, Run>();
  private readonly pauses: Pauses;
  private abandoned = false;

  constructor(private readonly deps: TaskRunnerDeps) {
    this.pauses = new Pauses(deps.clock);
  }

  /** Never rejects. */
  async handle(delivery: Delivery): Promise<Ending> {
    try {
      return await this.decide(delivery);
    } catch (error) {
      // A fault of ours: the message is not lost, and the log says what happened.
      return this.faulty(delivery, error);
    }
  }

  /** Tells a running task that its lease is lost: what it does cannot be recorded any more. */
  leaseLost(lease: Lease): void {
    for (const run of this.running.values()) {
      if (run.lease.token === lease.token && run.lease.id === lease.id) {
        run.isLost = true;
        run.control.abort(new LeaseLostError(lease.id));
      }
    }
  }

  /** Cold shutdown: tells every running task, and stops trying to store. */
  abandonAll(): void {
    this.abandoned = true;
    const reason = new WorkerLostError('The worker is shutting down and handed this task back.');
    this.running.forEach(({ control }) => control.abort(reason));
    this.pauses.endAll();
  }

  async updateState(
    context: { request: TaskRequest },
    state: string,
    meta: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const record = this.deps.recorder.custom(context.request, state, meta);
    // Of a task that was handed on, or has ended, nothing is stored: its state is another's now.
    if (record && this.mayStore(context.request)) {
      await this.storeState(record);
    }
  }

  private async decide(delivery: Delivery): Promise<Ending> {
    const { lease, name } = delivery;
    let envelope: DecodedEnvelope;
    let args: unknown[];
    let kwargs: Record<string, unknown>;
    try {
      envelope = decodeEnvelope(delivery.data, { acceptContent: this.deps.acceptContent });
      if (name === '') {
        throw new DecodeError('It has no task name.');
      }
      const codec = this.deps.codecs.resolve(envelope.contentType);
      ({ args, kwargs } = decodeArgs(envelope.payload, codec));
    } catch (error) {
      return this.invalid(delivery, error as Error);
    }
    const task = this.deps.registry.has(name) ? this.deps.registry.get(name) : undefined;
    const request = this.request(delivery, envelope, args, kwargs, task);
    if (isExpired(request, this.deps.clock.now())) {
      return this.expired(request);
    }
    if (!task) {
      return this.unknownTask(delivery, request);
    }
    if (delivery.redeliveries > this.deps.settings.taskMaxRedeliveries) {
      return this.lostTooOften(delivery, request);
    }
    return this.run(task, request, lease);
  }

  private async run(task: RegisteredTask, request: TaskRequest, lease: Lease): Promise<Ending> {
    this.deps.log.received(request.shadow ?? request.task, request.id);
    const control = createTaskContext({ request, services: this });
    this.running.set(request, { lease, control, isLost: false });
    try {
      await this.storeStarted(request);
      if (this.isHandedOn(request)) {
        return { kind: 'release' };
      }
      return await this.runToEnd(task, request, control.context);
    } finally {
      this.running.delete(request);
    }
  }

  private async runToEnd(
    task: RegisteredTask,
    request: TaskRequest,
    context: TaskContext,
  ): Promise<Ending> {
    const { log, pool } = this.deps;
    const name = request.shadow ?? request.task;
    const begin = performance.now();
    try {
      const { args, kwargs } = request;
      const value = await pool.run({ task, context, args, kwargs });
      const record = this.deps.recorder.success(request, value);
      const runtime = (performance.now() - begin) / 1000;
      return await this.finish(request, record, () =>
        log.succeeded(name, request.id, runtime, value),
      );
    } catch (thrown) {
      return await this.raised(task, request, name, thrown);
    }
  }

  private raised(
    task: RegisteredTask,
    request: TaskRequest,
    name: string,
    thrown: unknown,
  ): Promise<Ending> | Ending {
    const { log, recorder } = this.deps;
    if (thrown instanceof Ignore) {
      return this.finish(request, undefined, () => log.ignored(name, request.id));
    }
    if (thrown instanceof Reject) {
      log.rejected(name, request.id, thrown.requeue);
      return thrown.requeue
        ? { kind: 'release' }
        : this.finish(
            request,
            recorder.failure(request, thrown),
            undefined,
            thrown.reason ?? 'The task rejected its message.',
          );
    }
    const isExpected = task.options.throws?.some((cls) => thrown instanceof cls) ?? false;
    return this.finish(request, recorder.failure(request, thrown), () =>
      isExpected
        ? log.raisedExpected(name, request.id, thrown)
        : log.raisedUnexpected(name, request.id, thrown),
    );
  }

  private invalid({ lease, name }: Delivery, error: Error): Promise<Ending> {
    const request = bareRequest(lease.id, name);
    const record = this.deps.recorder.failure(request, error);
    return this.finish(
      request,
      record,
      () => this.deps.log.invalid(lease.id, lease.queue, error.message),
      error.message,
    );
  }

  private faulty({ lease, name }: Delivery, error: unknown): Promise<Ending> {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const request = bareRequest(lease.id, name);
    return this.finish(
      request,
      this.deps.recorder.failure(request, error),
      () => this.deps.log.fault(lease.id, lease.queue, reason),
      `The worker failed: ${reason}`,
    );
  }

  private expired(request: TaskRequest): Promise<Ending> {
    const record = this.deps.recorder.revoked(request, 'expired');
    const name = request.shadow ?? request.task;
    return this.finish(request, record, () => this.deps.log.revoked(name, request.id));
  }

  private unknownTask(delivery: Delivery, request: TaskRequest): Promise<Ending> | Ending {
    const { log, recorder, settings } = this.deps;
    const grace = settings.taskUnknownGrace * 1000;
    const pause = Math.min(grace / LOOKS_PER_GRACE, LONGEST_LOOK_PAUSE);
    if (grace > 0 && delivery.postponements * pause < grace) {
      log.unknown(request.task, request.id, pause / 1000);
      return { kind: 'postpone', delay: pause };
    }
    const record = recorder.failure(request, new NotRegistered(request.task));
    return this.finish(request, record, () => log.notRegistered(request.task, request.id));
  }

  private lostTooOften(delivery: Delivery, request: TaskRequest): Promise<Ending> {
    const reason =
      `A worker was lost while it ran this task, ${delivery.redeliveries} times: more than ` +
      `task_max_redeliveries (${this.deps.settings.taskMaxRedeliveries}) allows. Look for what ` +
      'ends the workers (memory, process.exit, a kill), or raise task_max_redeliveries.';
    const record = this.deps.recorder.failure(request, new WorkerLostError(reason));
    return this.finish(
      request,
      record,
      () => this.deps.log.lostTooOften(request.task, request.id, reason),
      reason,
    );
  }

  /** An ending with a record: in the broker's own step, or stored elsewhere first. */
  private async finish(
    request: RecordedRequest,
    record: ResultRecord | undefined,
    recorded?: () => void,
    deadLetter?: string,
  ): Promise<Ending> {
    const { backend } = this.deps;
    const kept = deadLetter === undefined ? {} : { deadLetter };
    if (!record || backend.inBroker) {
      return {
        kind: 'finish',
        outcome: { ...kept, ...(record ? { record } : {}) },
        ...(recorded ? { recorded } : {}),
      };
    }
    await this.storeElsewhere(request, record);
    return {
      kind: 'finish',
      outcome: { ...kept, announce: record.payload },
      ...(recorded ? { recorded } : {}),
    };
  }

  /**
   * The task is acknowledged only when its result is stored: tried until that succeeds, or until
   * the task is not this worker's any more; then the broker refuses the acknowledgement.
   */
  private async storeElsewhere(request: RecordedRequest, record: ResultRecord): Promise<void> {
    for (let attempt = 0; !this.isHandedOn(request); attempt += 1) {
      try {
        await this.deps.backend.store(record);
        return;
      } catch (error) {
        const pause = STORE_PAUSES[Math.min(attempt, STORE_PAUSES.length - 1)]!;
        this.deps.log.warn(
          `The result of ${record.id} could not be stored, trying again: ${String(error)}`,
        );
        await this.pauses.of(pause);
      }
    }
  }

  private isHandedOn(request: RecordedRequest): boolean {
    return this.abandoned || (this.running.get(request)?.isLost ?? false);
  }

  private mayStore(request: TaskRequest): boolean {
    return this.running.has(request) && !this.isHandedOn(request);
  }

  private async storeStarted(request: TaskRequest): Promise<void> {
    try {
      const record = this.deps.recorder.started(request, {
        pid: process.pid,
        hostname: this.deps.nodeName,
      });
      if (record) {
        await this.storeState(record);
      }
    } catch (error) {
      this.deps.log.warn(
        `The state STARTED of ${request.task}[${request.id}] could not be stored: ${String(error)}`,
      );
    }
  }

  private async storeState(record: ResultRecord): Promise<void> {
    const { backend, broker } = this.deps;
    const stored = await backend.store(record);
    if (stored && !backend.inBroker) {
      await broker.announce(record.id, record.payload);
    }
  }

  private request(
    delivery: Delivery,
    { headers }: DecodedEnvelope,
    args: unknown[],
    kwargs: Record<string, unknown>,
    task: RegisteredTask | undefined,
  ): TaskRequest {
    return new TaskRequest({
      message: { id: delivery.lease.id, task: delivery.name, headers },
      args,
      kwargs,
      hostname: this.deps.nodeName,
      queue: delivery.lease.queue,
      redelivered: delivery.redeliveries > 0,
      deliveryTag: delivery.lease.token,
      ignoreResult:
        headers.ignore_result ?? task?.options.ignoreResult ?? this.deps.settings.taskIgnoreResult,
    });
  }
}

/** All that is known of a message that cannot be read. */
function bareRequest(id: string, task: string): RecordedRequest {
  return { id, task, args: [], kwargs: {}, retries: 0 };
}

function isExpired(request: TaskRequest, now: number): boolean {
  const expires = request.expires === null ? null : parseIsoDate(request.expires);
  return expires !== null && expires.getTime() <= now;
}
