import { WorkerLostError } from '../../errors/task-queue.errors.js';

/**
 * The process or thread that ran the task died. A class of its own, because a task may itself
 * throw a `WorkerLostError` that it got from the result of another task; recorded as that.
 */
export class ChildLostError extends WorkerLostError {
  override readonly name = 'WorkerLostError';
}
