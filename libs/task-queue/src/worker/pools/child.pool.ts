import { Logger } from '@nestjs/common';
import type { BrokerLogger } from '../../brokers/broker-options.interface.js';
import type { Clock } from '../../clock/index.js';
import { OperationalError } from '../../errors/task-queue.errors.js';
import type { ErrorClass } from '../../messages/index.js';
import { ChildLostError } from './child-lost.error.js';
import type { LogMethod } from './child.messages.js';
import type { Child } from './child.port.js';
import { ChildSlot } from './child.slot.js';
import type { ChildRun, ChildSlotOptions } from './child-slot.interface.js';
import { assertSlots } from './pool-counts.js';
import type {
  LimitSupport,
  Pool,
  PoolCloseOptions,
  PoolJob,
  PoolStats,
  RunKey,
} from './pool.port.js';
import { RunTable } from './run.table.js';

/** What the pools with children are made from. */
export interface ChildPoolOptions {
  /** How many children run tasks, one at a time each. */
  readonly size: number;
  readonly clock: Clock;
  readonly logger: BrokerLogger;
  /**
   * The application's error classes that are rebuilt when a task throws them, by name:
   * `registry.errorClasses()` and `result_known_errors`. Default: none.
   */
  readonly errorClasses?: () => ReadonlyMap<string, ErrorClass>;
  /** `worker_max_tasks_per_child`. Default `null`: never. */
  readonly maxTasksPerChild?: number | null;
  /** `worker_max_memory_per_child`, KiB. Default `null`: no limit. */
  readonly maxMemoryPerChild?: number | null;
  /** `worker_proc_alive_timeout`, milliseconds. Default `null`: as long as it takes. */
  readonly startTimeout?: number | null;
}

interface PooledRun extends ChildRun {
  slot?: ChildSlot;
}

const NO_CLASSES: ReadonlyMap<string, ErrorClass> = new Map();

/** Runs tasks in children that boot the same module: the rules that processes and threads share. */
export abstract class ChildPool implements Pool {
  abstract readonly name: string;
  readonly limits: LimitSupport = { soft: true, hard: true, blocked: true };
  private readonly slots = new Set<ChildSlot>();
  /** Slots that end when their task has ended. */
  private readonly leaving = new Set<ChildSlot>();
  private readonly waiting: PooledRun[] = [];
  private readonly runs = new RunTable<PooledRun>();
  private readonly slotOptions: ChildSlotOptions;
  private slotsWanted: number;
  private started: ((error?: Error) => void) | undefined;
  private closing: Promise<void> | undefined;
  private allEnded: (() => void) | undefined;
  private lost = 0;
  private recycled = 0;

  /** @throws ImproperlyConfigured when the size is not a whole number of at least 1. */
  constructor(protected readonly options: ChildPoolOptions) {
    assertSlots(options.size);
    this.slotsWanted = options.size;
    this.slotOptions = {
      spawn: () => this.spawn(),
      clock: options.clock,
      logger: options.logger,
      writeLog: writeLine,
      errorClasses: options.errorClasses ?? (() => NO_CLASSES),
      maxTasks: options.maxTasksPerChild ?? null,
      maxMemory: options.maxMemoryPerChild ?? null,
      startTimeout: options.startTimeout ?? null,
    };
  }

  get size(): number {
    return this.slotsWanted;
  }

  /** Starts all children at once, and resolves when all are ready. */
  async start(): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.started = (error) => (error ? reject(error) : resolve());
    });
    this.addSlots(this.slotsWanted);
    try {
      await ready;
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      this.started = undefined;
    }
  }

  run(job: PoolJob): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const run: PooledRun = {
        job,
        resolve: (value) => this.runs.remove(run) && resolve(value),
        reject: (error) => this.runs.remove(run) && reject(error),
      };
      this.runs.add(run);
      if (this.closing) {
        run.reject(new ChildLostError('The worker was stopped before it ran this task.'));
        return;
      }
      const slot = [...this.slots].find((each) => each.isFree);
      if (slot) {
        this.runIn(slot, run);
      } else {
        this.waiting.push(run);
      }
    });
  }

  abort(key: RunKey, reason: unknown): void {
    this.runs.find(key).forEach(({ job }) => job.abort?.(reason));
  }

  kill(key: RunKey, error: Error): void {
    for (const run of this.runs.find(key)) {
      const place = this.waiting.indexOf(run);
      if (place >= 0) {
        this.waiting.splice(place, 1);
        run.reject(error);
      } else {
        run.slot?.kill(error);
      }
    }
  }

  grow(n = 1): number {
    assertSlots(n);
    if (!this.closing) {
      this.slotsWanted += n;
      this.addSlots(n);
    }
    return this.slotsWanted;
  }

  /** Free children end first, then those that run a task, after it. */
  shrink(n = 1): number {
    assertSlots(n);
    const surplus = Math.min(n, this.slotsWanted - 1);
    this.slotsWanted -= surplus;
    const idleFirst = [...this.slots].toSorted((a, b) => Number(a.isBusy) - Number(b.isBusy));
    idleFirst.slice(0, surplus).forEach((slot) => this.retire(slot));
    return this.slotsWanted;
  }

  stats(): PoolStats {
    const slots = [...this.slots, ...this.leaving];
    return {
      implementation: this.name,
      maxConcurrency: this.slotsWanted,
      maxTasksPerChild: this.slotOptions.maxTasks,
      processes: slots.flatMap((slot) => slot.pids),
      running: slots.filter((slot) => slot.isBusy).length,
      waiting: this.waiting.length,
      abandoned: 0,
      lost: this.lost,
      recycled: this.recycled,
    };
  }

  close({ deadline = 0 }: PoolCloseOptions = {}): Promise<void> {
    this.closing ??= this.endAll(deadline);
    return this.closing;
  }

  /** Starts a child. */
  protected abstract spawn(): Child;

  private addSlots(count: number): void {
    for (let added = 0; added < count; added += 1) {
      const slot: ChildSlot = new ChildSlot(this.slotOptions, {
        free: () => this.slotFree(slot),
        unfit: (reason) => this.slotUnfit(slot, reason),
        lost: () => (this.lost += 1),
        recycled: () => (this.recycled += 1),
        ended: () => this.slotEnded(slot),
      });
      this.slots.add(slot);
      slot.start();
    }
  }

  private runIn(slot: ChildSlot, run: PooledRun): void {
    run.slot = slot;
    slot.run(run);
  }

  private slotFree(slot: ChildSlot): void {
    if (this.started && [...this.slots].every((each) => each.isFree)) {
      this.started();
    }
    const next = this.waiting.shift();
    if (next) {
      this.runIn(slot, next);
    }
  }

  /** A first child that cannot start: at the start of the pool that is fatal. */
  private slotUnfit(slot: ChildSlot, reason: string): void {
    if (this.started) {
      this.started(
        new OperationalError(
          `A child of the pool '${this.name}' could not start: ${reason}. Check that the main ` +
            'file of the worker calls runWorker(), and that its module starts by itself.',
        ),
      );
      return;
    }
    this.options.logger.error(`The pool could not grow, a child could not start: ${reason}`);
    this.slotsWanted = Math.max(1, this.slotsWanted - 1);
    this.retire(slot);
  }

  private retire(slot: ChildSlot): void {
    this.slots.delete(slot);
    this.leaving.add(slot);
    slot.retire();
  }

  private slotEnded(slot: ChildSlot): void {
    this.slots.delete(slot);
    this.leaving.delete(slot);
    if (this.slots.size + this.leaving.size === 0) {
      this.allEnded?.();
    }
  }

  private async endAll(deadline: number): Promise<void> {
    const stopped = new ChildLostError('The worker was stopped before it ran this task.');
    this.waiting.splice(0).forEach((run) => run.reject(stopped));
    const slots = [...this.slots, ...this.leaving];
    if (slots.length === 0) {
      return;
    }
    const ended = new Promise<void>((resolve) => (this.allEnded = resolve));
    const timer = this.options.clock.setTimer(deadline, () =>
      slots.forEach((slot) => slot.terminate()),
    );
    slots.forEach((slot) => this.retire(slot));
    await ended;
    timer.clear();
  }
}

/** Nest's logger of this process has the level and the format. */
function writeLine(level: LogMethod, message: string, rest: readonly string[]): void {
  (Logger[level] as (text: string, ...more: string[]) => void)(message, ...rest);
}
