import type { Clock, Timer } from '../clock/index.js';
import {
  ImproperlyConfigured,
  SoftTimeLimitExceeded,
  TimeLimitExceeded,
} from '../errors/task-queue.errors.js';
import { DURATION_FORM, readDuration } from '../settings/readers/duration.reader.js';
import type { TaskContext } from '../tasks/index.js';
import type { BlockedLoopGuard } from './blocked-loop.guard.js';
import type { Pool } from './pools/pool.port.js';

/** Time limits of a run, seconds; `null` for none. */
export interface Limits {
  readonly soft: number | null;
  readonly hard: number | null;
}

/** What a task says of its limits: seconds, or durations such as `'90s'`; `null` or 0 for none. */
export interface TimeLimitOptions {
  readonly softTimeLimit?: number | string | null;
  readonly timeLimit?: number | string | null;
}

/** The settings, seconds; `null` for none. */
export interface TimeLimitSettings {
  readonly taskSoftTimeLimit: number | null;
  readonly taskTimeLimit: number | null;
}

/** A task, as far as limits go. */
export interface LimitedTask {
  readonly name: string;
  readonly options: object;
}

export interface TimeLimitsDeps {
  readonly clock: Clock;
  readonly pool: Pick<Pool, 'abort' | 'kill' | 'limits' | 'name'>;
  readonly settings: TimeLimitSettings;
  readonly logger: { warn(message: string): void; error(message: string): void };
  /** Ends the process when a task blocks it: for a pool that runs tasks on its own event loop. */
  readonly guard?: Pick<BlockedLoopGuard, 'watch'>;
}

/** The limits of one run, armed. */
export interface LimitWatch {
  /** To be called when the run has ended. */
  clear(): void;
}

const NO_WATCH: LimitWatch = { clear: () => undefined };

/**
 * Holds running tasks to their time limits. The soft one aborts `self.signal` with
 * `SoftTimeLimitExceeded`, once; the hard one ends the run with `TimeLimitExceeded`. A limit of
 * the call wins over one set by `override`, that over one of the task, and that over the setting.
 */
export class TimeLimits {
  private readonly overrides = new Map<string, Limits>();
  private readonly warned = new Set<string>();

  constructor(private readonly deps: TimeLimitsDeps) {}

  /**
   * Checks the limits of all tasks; to be called at start.
   *
   * @throws ImproperlyConfigured when a soft limit is above its hard limit, when a limit is not
   * a duration, or when the pool could not honour one.
   */
  assertAll(tasks: Iterable<LimitedTask>): void {
    this.assertOne(this.limitsFor({ name: '', options: {} }), 'The settings together have');
    for (const task of tasks) {
      this.assertOne(this.limitsFor(task), `The task '${task.name}' has`);
    }
  }

  /**
   * Gives later runs of a task other limits: Celery's remote control command `time_limit`.
   *
   * @throws ImproperlyConfigured as `assertAll`.
   */
  override(taskName: string, limits: Limits): void {
    const checked = { soft: positive(limits.soft), hard: positive(limits.hard) };
    this.assertOne(checked, `The task '${taskName}' has`);
    this.overrides.set(taskName, checked);
  }

  /** @param call - `request.timelimit`: hard and soft limit given at the call. */
  limitsFor(
    { name, options }: LimitedTask,
    call: readonly [number | null, number | null] = [null, null],
  ): Limits {
    const { settings } = this.deps;
    const { softTimeLimit, timeLimit } = options as TimeLimitOptions;
    const own = this.overrides.get(name) ?? {
      soft: secondsOf(softTimeLimit, settings.taskSoftTimeLimit, 'softTimeLimit', name),
      hard: secondsOf(timeLimit, settings.taskTimeLimit, 'timeLimit', name),
    };
    return { soft: positive(call[1]) ?? own.soft, hard: positive(call[0]) ?? own.hard };
  }

  /** Arms the limits of a run that begins now. */
  watch(task: LimitedTask, context: TaskContext): LimitWatch {
    const { soft, hard } = this.limitsFor(task, context.request.timelimit);
    if (soft === null && hard === null) {
      return NO_WATCH;
    }
    const timers: Timer[] = [];
    const { clock, guard, pool } = this.deps;
    // A soft limit at or above the hard one, of different origin, would never be reached.
    if (soft !== null && (hard === null || soft < hard)) {
      timers.push(clock.setTimer(soft * 1000, () => this.softLimit(context, soft)));
    }
    if (hard !== null && this.canEnd(context)) {
      timers.push(clock.setTimer(hard * 1000, () => this.hardLimit(context, hard)));
      if (guard && !pool.limits.blocked) {
        timers.push(guard.watch(context.request, hard));
      }
    }
    return { clear: () => timers.forEach((timer) => timer.clear()) };
  }

  private softLimit(context: TaskContext, limit: number): void {
    this.deps.logger.warn(`Soft time limit (${limit}s) exceeded for ${titleOf(context)}`);
    this.deps.pool.abort(context, new SoftTimeLimitExceeded(limit));
  }

  private hardLimit(context: TaskContext, limit: number): void {
    this.deps.logger.error(`Hard time limit (${limit}s) exceeded for ${titleOf(context)}`);
    this.deps.pool.kill(context, new TimeLimitExceeded(limit));
  }

  /** A limit given at the call cannot be refused at start. */
  private canEnd({ name }: TaskContext): boolean {
    const { pool, logger } = this.deps;
    if (!pool.limits.hard && !this.warned.has(name)) {
      this.warned.add(name);
      logger.warn(
        `The task ${name} was called with a hard time limit, which the pool '${pool.name}' ` +
          'cannot enforce: it runs on. Start the worker with -P prefork or -P threads.',
      );
    }
    return pool.limits.hard;
  }

  private assertOne({ soft, hard }: Limits, subject: string): void {
    const { pool } = this.deps;
    if (soft !== null && hard !== null && soft > hard) {
      throw new ImproperlyConfigured(
        `${subject} a soft time limit (${soft} s) above the hard time limit (${hard} s), so ` +
          'the soft one would never be reached. Lower softTimeLimit or task_soft_time_limit, or ' +
          'raise timeLimit or task_time_limit.',
      );
    }
    const refused =
      hard !== null && !pool.limits.hard
        ? 'hard'
        : soft !== null && !pool.limits.soft
          ? 'soft'
          : undefined;
    if (refused) {
      throw new ImproperlyConfigured(
        `${subject} a ${refused} time limit, and the pool '${pool.name}' cannot enforce one. ` +
          'Start the worker with -P prefork or -P threads, or take the limit away.',
      );
    }
  }
}

function titleOf({ request }: TaskContext): string {
  return `${request.shadow ?? request.task}[${request.id}]`;
}

function secondsOf(
  value: number | string | null | undefined,
  setting: number | null,
  option: string,
  name: string,
): number | null {
  if (value === undefined) {
    return setting;
  }
  const seconds = value === null ? 0 : readDuration(value);
  if (seconds === undefined || seconds < 0) {
    throw new ImproperlyConfigured(
      `The option ${option} of the task '${name}' is not a time limit: write ${DURATION_FORM}.`,
    );
  }
  return positive(seconds);
}

/** What a message says is not to be trusted to be a number above 0. */
function positive(seconds: number | null): number | null {
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0 ? seconds : null;
}
