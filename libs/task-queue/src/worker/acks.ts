import type { TaskQueueSettings } from '../settings/index.js';
import type { SharedTaskOptions } from '../tasks/index.js';

/** The settings that say when a task is acknowledged. */
export type AckSettings = Pick<
  TaskQueueSettings,
  | 'taskAcksLate'
  | 'taskAcksOnFailure'
  | 'taskAcksOnFailureOrTimeout'
  | 'taskAcksOnTimeout'
  | 'taskRejectOnWorkerLost'
>;

/** Celery's `acks_late`, `reject_on_worker_lost`, `acks_on_failure` and `acks_on_timeout`. */
type AckOptions = Pick<
  SharedTaskOptions,
  'acksLate' | 'acksOnFailure' | 'acksOnTimeout' | 'rejectOnWorkerLost'
>;

/** Whether a task may be delivered more than once: task, then setting. */
export function acksLate(options: AckOptions, settings: AckSettings): boolean {
  return options.acksLate ?? settings.taskAcksLate;
}

/** Whether a task is run again when its worker was lost. */
export function runsAgainWhenLost(options: AckOptions, settings: AckSettings): boolean {
  return (
    acksLate(options, settings) &&
    (options.rejectOnWorkerLost ?? settings.taskRejectOnWorkerLost ?? true)
  );
}

/** Whether a task that failed is put back, to be run again. */
export function runsAgainWhenFailed(
  options: AckOptions,
  settings: AckSettings,
  isTimeout: boolean,
): boolean {
  const acks = isTimeout
    ? (options.acksOnTimeout ?? settings.taskAcksOnTimeout)
    : (options.acksOnFailure ?? settings.taskAcksOnFailure);
  return acksLate(options, settings) && !(acks ?? settings.taskAcksOnFailureOrTimeout);
}
