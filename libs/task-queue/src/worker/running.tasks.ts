import type { Lease } from '../brokers/broker.port.js';
import { LeaseLostError, WorkerLostError } from '../errors/task-queue.errors.js';
import type { RecordedRequest } from '../results/index.js';
import type { TaskContextControl } from '../tasks/index.js';

/** A task that runs now. */
export interface Run {
  readonly lease: Lease;
  readonly control: TaskContextControl;
  /** Whether the task may be delivered again once it has begun. */
  readonly acksLate: boolean;
  /** Its method was called. */
  hasBegun: boolean;
  /** Its lease is over: nothing may be recorded any more. */
  isLost: boolean;
  /** Set when it was revoked while it ran. */
  revokedAs?: 'revoked' | 'terminated';
}

/** The tasks that this worker runs now, and whether they are still its own. */
export class RunningTasks {
  private readonly runs = new Map<RecordedRequest, Run>();
  private abandoned = false;

  add(request: RecordedRequest, run: Run): void {
    this.runs.set(request, run);
  }

  delete(request: RecordedRequest): void {
    this.runs.delete(request);
  }

  find(lease: Lease): Run | undefined {
    for (const run of this.runs.values()) {
      if (run.lease.token === lease.token && run.lease.id === lease.id) {
        return run;
      }
    }
    return undefined;
  }

  /** Tells a task that its lease is lost: what it does cannot be recorded any more. */
  leaseLost(lease: Lease): void {
    const run = this.find(lease);
    if (run) {
      run.isLost = true;
      run.control.abort(new LeaseLostError(lease.id));
    }
  }

  /** The runs of a task: more than one only while a lost one has not ended. */
  ofTask(id: string): Run[] {
    return [...this.runs.values()].filter(({ lease }) => lease.id === id);
  }

  /** As what the task was revoked while it ran. */
  revokedAs(request: RecordedRequest): Run['revokedAs'] {
    return this.runs.get(request)?.revokedAs;
  }

  /** Tells every task that it is handed back. */
  abandonAll(): void {
    this.abandoned = true;
    const reason = new WorkerLostError('The worker is shutting down and handed this task back.');
    this.runs.forEach(({ control }) => control.abort(reason));
  }

  /** Whether the task is not this worker's any more. */
  isHandedOn(request: RecordedRequest): boolean {
    return this.abandoned || (this.runs.get(request)?.isLost ?? false);
  }

  /** Whether a state of the task may be stored. */
  mayStore(request: RecordedRequest): boolean {
    return this.runs.has(request) && !this.isHandedOn(request);
  }
}
