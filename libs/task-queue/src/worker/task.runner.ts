import { performance } from 'node:perf_hooks';
import type { Delivery, Lease } from '../brokers/broker.port.js';
import {
  Ignore,
  isError,
  Reject,
  Retry,
  TaskRevokedError,
  TimeLimitExceeded,
} from '../errors/task-queue.errors.js';
import { parseIsoDate } from '../messages/index.js';
import {
  createTaskContext,
  type RegisteredTask,
  type TaskContext,
  type TaskRequest,
  type TaskServices,
  type TaskContextControl,
} from '../tasks/index.js';
import { acksLate, runsAgainWhenFailed, runsAgainWhenLost, type AckSettings } from './acks.js';
import { DeliveryReader, type DeliveryReaderDeps, type ReadTask } from './delivery.reader.js';
import type { Ending } from './ending.interface.js';
import { Endings, shownName, type EndingsDeps, type EndingSettings } from './endings.js';
import { ChildLostError, type Pool } from './pools/index.js';
import { ResultStorer, type ResultStorerDeps } from './result.storer.js';
import { RunningTasks } from './running.tasks.js';
import type { LimitWatch, TimeLimits } from './time-limits.js';

export interface RunnerSettings extends EndingSettings, AckSettings {
  readonly taskIgnoreResult: boolean;
}

export interface TaskRunnerDeps extends DeliveryReaderDeps, EndingsDeps, ResultStorerDeps {
  readonly settings: RunnerSettings;
  readonly pool: Pool;
  readonly limits: Pick<TimeLimits, 'watch'>;
}

/** A delivery of a task that is known here. */
type Runnable = ReadTask & { readonly task: RegisteredTask };

/**
 * Turns a delivery into an ending: reads the message (`DeliveryReader`), runs the task in the
 * pool, and says what is to become of it (`Endings`).
 */
export class TaskRunner implements TaskServices {
  private readonly running = new RunningTasks();
  private readonly reader: DeliveryReader;
  private readonly storer: ResultStorer;
  private readonly endings: Endings;

  constructor(private readonly deps: TaskRunnerDeps) {
    this.reader = new DeliveryReader(deps);
    this.storer = new ResultStorer(deps, this.running);
    this.endings = new Endings(deps, this.storer);
  }

  /** Never rejects. */
  async handle(delivery: Delivery): Promise<Ending> {
    try {
      const read = this.reader.read(delivery);
      return isReadable(read)
        ? await this.decide(read)
        : await this.endings.invalid(delivery, read);
    } catch (error) {
      return this.endings.faulty(delivery, error);
    }
  }

  /** Tells a running task that its lease is lost: what it does cannot be recorded any more. */
  leaseLost(lease: Lease): void {
    this.running.leaseLost(lease);
  }

  /** Tells a task that runs here that it was revoked, and ends it when it is to be terminated. */
  revoke(id: string, terminate: boolean): void {
    for (const run of this.running.ofTask(id)) {
      run.revokedAs = terminate ? 'terminated' : (run.revokedAs ?? 'revoked');
      const reason = new TaskRevokedError(run.revokedAs);
      run.control.abort(reason);
      if (terminate) {
        this.deps.pool.kill(run.control.context, reason);
      }
    }
  }

  /** Cold shutdown: tells every running task, and stops trying to store. */
  abandonAll(): void {
    this.running.abandonAll();
    this.storer.giveUp();
  }

  /**
   * Whether another worker may run the task in a cold shutdown: not when it has begun here and
   * is to run once at most. Such a task is left to its lease, as if this worker were lost.
   */
  mayHandBack(lease: Lease): boolean {
    const run = this.running.find(lease);
    return !run?.hasBegun || run.acksLate;
  }

  async updateState(
    context: { request: TaskRequest },
    state: string,
    meta: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const record = this.deps.recorder.custom(context.request, state, meta);
    // Of a task that was handed on, or has ended, nothing is stored: its state is another's now.
    if (record && this.running.mayStore(context.request)) {
      await this.storer.state(record);
    }
  }

  private decide(read: ReadTask): Promise<Ending> | Ending {
    const { clock, settings } = this.deps;
    const { delivery, redeliveries, request, task } = read;
    if (delivery.revoked) {
      return this.endings.revoked(read, 'revoked');
    }
    if (isExpired(request, clock.now())) {
      return this.endings.revoked(read, 'expired');
    }
    if (!task) {
      return this.endings.unknownTask(read);
    }
    if (delivery.redeliveries > 0 && !runsAgainWhenLost(task.options, settings)) {
      return this.endings.workerLost(read, this.contextOf(request));
    }
    if (redeliveries > settings.taskMaxRedeliveries) {
      return this.endings.lostTooOften(read, this.contextOf(request));
    }
    return this.run({ ...read, task });
  }

  /** Of a task that is not run here: for its hooks. */
  private contextOf(request: TaskRequest): TaskContext {
    return createTaskContext({ request, services: this }).context;
  }

  private async run(read: Runnable): Promise<Ending> {
    const { delivery, request, task } = read;
    this.deps.log.received(shownName(read), request.id);
    this.deps.hooks.received(request);
    const control = createTaskContext({ request, services: this });
    const run = {
      lease: delivery.lease,
      control,
      acksLate: acksLate(task.options, this.deps.settings),
      hasBegun: false,
      isLost: false,
    };
    this.running.add(request, run);
    try {
      await this.storeStarted(request);
      if (this.running.isHandedOn(request)) {
        return { kind: 'release' };
      }
      run.hasBegun = true;
      return await this.runToEnd(read, control);
    } finally {
      this.running.delete(request);
    }
  }

  private async runToEnd(read: Runnable, control: TaskContextControl): Promise<Ending> {
    const { hooks, limits, log, pool, recorder } = this.deps;
    const { context } = control;
    const { request, task } = read;
    let watch: LimitWatch | undefined;
    hooks.prerun(context);
    const begin = performance.now();
    try {
      const { args, kwargs } = request;
      const beforeStart = hooks.beforeStart(context);
      if (beforeStart) {
        await beforeStart;
      }
      const value = await pool.run({
        task,
        context,
        abort: (reason) => control.abort(reason),
        args,
        kwargs,
        started: () => {
          watch = limits.watch(task, context);
        },
      });
      watch?.clear();
      const record = recorder.success(request, value);
      const runtime = (performance.now() - begin) / 1000;
      return await this.endings.finish(request, record, () => {
        log.succeeded(shownName(read), request.id, runtime, value);
        hooks.success(context, value, runtime);
        hooks.postrun(context, 'SUCCESS', value);
      });
    } catch (thrown) {
      watch?.clear();
      return await this.raised(read, context, thrown);
    }
  }

  private raised(read: Runnable, context: TaskContext, thrown: unknown): Promise<Ending> | Ending {
    const { request } = read;
    if (thrown instanceof Ignore) {
      return this.endings.finish(request, undefined, () => {
        this.deps.log.ignored(shownName(read), request.id);
        this.deps.hooks.postrun(context, 'IGNORED', thrown);
      });
    }
    const revokedAs = this.running.revokedAs(request);
    if (revokedAs && thrown instanceof TaskRevokedError) {
      return this.endings.revoked(read, revokedAs);
    }
    if (thrown instanceof Retry) {
      return this.retried(read, context, thrown);
    }
    return thrown instanceof Reject
      ? this.rejected(read, context, thrown)
      : this.failed(read, context, thrown);
  }

  private async retried(read: Runnable, context: TaskContext, retry: Retry): Promise<Ending> {
    try {
      return await this.endings.retry(read, context, retry);
    } catch (error) {
      // The next run cannot be put into a message.
      if (isError(error) && error.cause === undefined) {
        error.cause = retry.cause;
      }
      return this.failed(read, context, error);
    }
  }

  private rejected(read: Runnable, context: TaskContext, thrown: Reject): Promise<Ending> | Ending {
    const { hooks, log, recorder, settings } = this.deps;
    const { request, task } = read;
    // What is acknowledged before it runs cannot be put back.
    const requeue = thrown.requeue && acksLate(task.options, settings);
    log.rejected(shownName(read), request.id, requeue);
    const reason = thrown.reason ?? 'The task rejected its message.';
    const goesBack = requeue && this.endings.mayPutBack(read);
    const recorded = (): void => {
      hooks.rejected(request, reason, goesBack);
      hooks.postrun(context, 'REJECTED', thrown);
    };
    if (goesBack) {
      return this.endings.putBack(read, recorded);
    }
    return this.endings.finish(
      request,
      recorder.failure(request, thrown),
      recorded,
      requeue ? `${reason} ${this.endings.putBackTooOften(read)}` : reason,
    );
  }

  private failed(read: Runnable, context: TaskContext, thrown: unknown): Promise<Ending> | Ending {
    const { hooks, log, recorder, settings } = this.deps;
    const { request, task } = read;
    const isExpected = task.options.throws?.some((cls) => thrown instanceof cls) ?? false;
    const logged = (): void =>
      isExpected
        ? log.raisedExpected(shownName(read), request.id, thrown)
        : log.raisedUnexpected(shownName(read), request.id, thrown);
    const again =
      thrown instanceof ChildLostError
        ? runsAgainWhenLost(task.options, settings)
        : runsAgainWhenFailed(task.options, settings, isTimeout(thrown));
    if (again && this.endings.mayPutBack(read)) {
      return this.endings.putBack(read, () => {
        logged();
        log.putBack(shownName(read), request.id);
        hooks.postrun(context, 'FAILURE', thrown);
      });
    }
    const deadLetter = again ? this.endings.putBackTooOften(read) : undefined;
    const recorded = (): void => {
      logged();
      hooks.failure(context, thrown);
      hooks.postrun(context, 'FAILURE', thrown);
    };
    return this.endings.finish(request, recorder.failure(request, thrown), recorded, deadLetter);
  }

  private async storeStarted(request: TaskRequest): Promise<void> {
    const { log, nodeName, recorder } = this.deps;
    try {
      const record = recorder.started(request, { pid: process.pid, hostname: nodeName });
      if (record) {
        await this.storer.state(record);
      }
    } catch (error) {
      log.warn(
        `The state STARTED of ${request.task}[${request.id}] could not be stored: ${String(error)}`,
      );
    }
  }
}

function isReadable(read: ReadTask | Error): read is ReadTask {
  return 'request' in read;
}

function isExpired(request: TaskRequest, now: number): boolean {
  const expires = request.expires === null ? null : parseIsoDate(request.expires);
  return expires !== null && expires.getTime() <= now;
}

/** Whether the hard time limit ended the task. */
function isTimeout(thrown: unknown): boolean {
  return thrown instanceof TimeLimitExceeded;
}
