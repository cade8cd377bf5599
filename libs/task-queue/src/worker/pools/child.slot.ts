import type { Timer } from '../../clock/index.js';
import { isError } from '../../errors/task-queue.errors.js';
import { decodeJson, type ErrorClass } from '../../messages/index.js';
import { ChildLostError } from './child-lost.error.js';
import type { ChildReport } from './child.messages.js';
import type { Child } from './child.port.js';
import type { ChildRun, ChildSlotEvents, ChildSlotOptions } from './child-slot.interface.js';
import { encodeJob } from './job.codec.js';
import type { PoolJob } from './pool.port.js';
import { decodeThrown, encodeThrown } from './thrown.codec.js';

/** How long a child that was let go may take to end, milliseconds. */
const RELEASE_GRACE = 5000;
/** Pause before a child that could not start is started again, milliseconds: 1 s, 2 s, 4 s, ... */
const RESTART_PAUSE = 1000;
const LONGEST_RESTART_PAUSE = 30_000;

/** A child and what is known of it. */
interface Occupant {
  readonly child: Child;
  state: 'starting' | 'ready' | 'ending';
  tasks: number;
  /** It has run its last task. */
  isSpent: boolean;
  timer?: Timer;
}

/** The run under way. */
interface Current extends ChildRun {
  readonly number: number;
  readonly occupant: Occupant;
  readonly unlisten: () => void;
}

/**
 * Runs one task at a time, in a child that it replaces when it dies, is killed, or has done
 * enough. A replacement is started before the old child ends, so that no task waits for it.
 */
export class ChildSlot {
  private occupant: Occupant | undefined;
  private successor: Occupant | undefined;
  private readonly gone = new Set<Occupant>();
  private current: Current | undefined;
  private runs = 0;
  private failedStarts = 0;
  private wasReady = false;
  private restart: Timer | undefined;
  private phase: 'open' | 'retiring' | 'ended' = 'open';

  constructor(
    private readonly options: ChildSlotOptions,
    private readonly events: ChildSlotEvents,
  ) {}

  /** The ids of the children, the one that runs tasks first. */
  get pids(): number[] {
    return [this.occupant, this.successor].flatMap((each) => (each ? [each.child.pid] : []));
  }

  get isFree(): boolean {
    return (
      this.phase === 'open' &&
      this.current === undefined &&
      this.occupant?.state === 'ready' &&
      !this.occupant.isSpent
    );
  }

  get isBusy(): boolean {
    return this.current !== undefined;
  }

  /** Starts the first child; `free` or `unfit` says what came of it. */
  start(): void {
    this.occupant = this.spawn();
  }

  /** Runs a task in the free slot. */
  run(run: ChildRun): void {
    const { occupant } = this;
    if (!occupant || !this.isFree) {
      throw new Error('A task was given to a slot that is not free.');
    }
    let order: string;
    try {
      order = encodeJob(run.job);
    } catch (error) {
      run.reject(error);
      this.events.free();
      return;
    }
    const number = (this.runs += 1);
    this.current = { ...run, number, occupant, unlisten: this.passAborts(run, occupant, number) };
    occupant.tasks += 1;
    occupant.child.send({ type: 'run', run: number, job: order });
    run.job.started?.(occupant.child.pid);
    const { maxTasks } = this.options;
    if (maxTasks !== null && occupant.tasks >= maxTasks) {
      occupant.isSpent = true;
      this.successor ??= this.spawn();
    }
  }

  /** Ends the run under way with `error`, kills the child and starts another. */
  kill(error: unknown): void {
    const { current } = this;
    if (current) {
      this.current = undefined;
      current.unlisten();
      this.events.lost();
      this.dismiss(current.occupant, true);
      this.succeed();
      current.reject(error);
    }
  }

  /** Ends the slot once its task has ended. */
  retire(): void {
    if (this.phase === 'open') {
      this.phase = 'retiring';
      this.restart?.clear();
      if (!this.current) {
        this.end();
      }
    }
  }

  /** Ends the slot now; a task that runs is lost. */
  terminate(): void {
    this.retire();
    this.kill(new ChildLostError('The worker was stopped while it ran this task.'));
  }

  /** Aborts of the context here are aborts of the context there. */
  private passAborts({ job }: ChildRun, { child }: Occupant, run: number): () => void {
    const { signal } = job.context;
    const pass = (): void =>
      child.send({ type: 'abort', run, reason: encodeThrown(signal.reason) });
    if (signal.aborted) {
      // After the order to run, which is sent in this turn.
      queueMicrotask(pass);
    }
    signal.addEventListener('abort', pass);
    return () => signal.removeEventListener('abort', pass);
  }

  private spawn(): Occupant {
    const child = this.options.spawn();
    const occupant: Occupant = { child, state: 'starting', tasks: 0, isSpent: false };
    const { startTimeout, clock } = this.options;
    if (startTimeout !== null) {
      occupant.timer = clock.setTimer(startTimeout, () => {
        this.options.logger.error(`The pool child ${child.pid} took too long to start.`);
        child.kill();
      });
    }
    child.onReport((report) => this.hear(occupant, report));
    child.onEnd((how) => this.childEnded(occupant, how));
    return occupant;
  }

  private hear(occupant: Occupant, report: ChildReport): void {
    switch (report.type) {
      case 'ready':
        this.childReady(occupant);
        break;
      case 'unfit':
        this.childUnfit(occupant, report.reason);
        break;
      case 'log':
        this.options.writeLog(report.level, report.message, report.rest);
        break;
      case 'state':
        void this.storeState(occupant, report);
        break;
      default:
        this.taskEnded(occupant, report);
    }
  }

  private childReady(occupant: Occupant): void {
    occupant.timer?.clear();
    if (occupant.state === 'starting') {
      occupant.state = 'ready';
      this.failedStarts = 0;
      this.wasReady = true;
      this.makeFree();
    }
  }

  /** Takes the successor when it is due, and tells of a free slot. */
  private makeFree(): void {
    const { occupant, successor } = this;
    if (!this.current && successor?.state === 'ready' && occupant) {
      this.occupant = successor;
      this.successor = undefined;
      this.events.recycled();
      this.dismiss(occupant, false);
    }
    if (this.isFree) {
      this.events.free();
    }
  }

  private taskEnded(
    occupant: Occupant,
    report: Extract<ChildReport, { type: 'done' | 'failed' }>,
  ): void {
    const { current } = this;
    if (!current || current.occupant !== occupant || current.number !== report.run) {
      return;
    }
    this.current = undefined;
    current.unlisten();
    const { maxMemory } = this.options;
    if (maxMemory !== null && report.memory > maxMemory && this.phase === 'open') {
      this.successor ??= this.spawn();
    }
    try {
      if (report.type === 'done') {
        current.resolve(report.value === undefined ? undefined : decodeJson(report.value));
      } else {
        current.reject(decodeThrown(report.error, this.errorClassesFor(current.job)));
      }
    } catch (error) {
      current.reject(error);
    }
    if (this.phase === 'retiring') {
      this.end();
    } else {
      this.makeFree();
    }
  }

  /** What the task itself lists is known, too, though two tasks list classes of one name. */
  private errorClassesFor({ task }: PoolJob): ReadonlyMap<string, ErrorClass> {
    const classes = new Map(this.options.errorClasses());
    task.options.throws?.forEach((cls) => classes.set(cls.name, cls));
    return classes;
  }

  private childEnded(occupant: Occupant, how: string): void {
    occupant.timer?.clear();
    const { state } = occupant;
    occupant.state = 'ending';
    this.gone.delete(occupant);
    const { current } = this;
    if (current?.occupant === occupant) {
      this.current = undefined;
      current.unlisten();
      this.events.lost();
      current.reject(
        new ChildLostError(
          `Worker exited prematurely: ${how}. Task: ${current.job.context.request.id}.`,
        ),
      );
    }
    if (this.successor === occupant) {
      this.successor = undefined;
    }
    if (this.phase !== 'open') {
      if (!this.current) {
        this.end();
      }
    } else if (this.occupant === occupant) {
      this.occupant = undefined;
      if (state === 'starting') {
        this.childUnfit(occupant, `it ended with ${how}`);
      } else {
        this.succeed();
      }
    } else if (!this.successor && this.occupant?.isSpent) {
      this.replaceLater(`it ended with ${how}`);
    }
  }

  private childUnfit(occupant: Occupant, reason: string): void {
    occupant.timer?.clear();
    if (occupant.state === 'starting') {
      this.dismiss(occupant, true);
    }
    if (this.occupant === occupant) {
      this.occupant = undefined;
    }
    if (this.successor === occupant) {
      this.successor = undefined;
    }
    if (this.phase !== 'open') {
      return;
    }
    if (this.wasReady) {
      this.replaceLater(reason);
    } else {
      this.events.unfit(reason);
    }
  }

  private replaceLater(reason: string): void {
    const pause = Math.min(RESTART_PAUSE * 2 ** this.failedStarts, LONGEST_RESTART_PAUSE);
    this.failedStarts += 1;
    this.options.logger.error(
      `A pool child could not start, trying again in ${pause / 1000} s: ${reason}`,
    );
    this.restart?.clear();
    this.restart = this.options.clock.setTimer(pause, () => {
      if (this.phase === 'open') {
        this.succeed();
      }
    });
  }

  /** Gives the slot its next child. */
  private succeed(): void {
    if (this.phase !== 'open') {
      return this.end();
    }
    if (this.occupant && this.occupant.state !== 'ending') {
      this.successor ??= this.spawn();
      return;
    }
    this.occupant = this.successor ?? this.spawn();
    this.successor = undefined;
    this.makeFree();
  }

  private end(): void {
    for (const occupant of [this.occupant, this.successor]) {
      if (occupant && occupant.state !== 'ending') {
        this.dismiss(occupant, false);
      }
    }
    this.occupant = undefined;
    this.successor = undefined;
    if (this.gone.size === 0 && this.phase === 'retiring') {
      this.phase = 'ended';
      this.events.ended();
    }
  }

  /** Lets a child go; it is waited for until it is gone. */
  private dismiss(occupant: Occupant, atOnce: boolean): void {
    occupant.state = 'ending';
    occupant.timer?.clear();
    this.gone.add(occupant);
    if (atOnce) {
      occupant.child.kill();
    } else {
      occupant.child.release();
      occupant.timer = this.options.clock.setTimer(RELEASE_GRACE, () => occupant.child.kill());
    }
  }

  private async storeState(
    occupant: Occupant,
    { run, call, state, meta }: Extract<ChildReport, { type: 'state' }>,
  ): Promise<void> {
    const { current } = this;
    try {
      if (current?.occupant === occupant && current.number === run) {
        const fields = decodeJson(meta) as Record<string, unknown>;
        await current.job.context.updateState(state, fields);
      }
      occupant.child.send({ type: 'stored', call });
    } catch (error) {
      const reason = isError(error) ? error : new Error(String(error));
      occupant.child.send({ type: 'stored', call, error: encodeThrown(reason) });
    }
  }
}
