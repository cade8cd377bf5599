import { beginAttempt, endAttempt, type TaskContext } from './task.context.js';
import type { SharedTaskOptions } from './task-options.interface.js';
import { TaskRetries } from './task.retries.js';

/**
 * One run of a task with its retries: while `run` is under way, `context.retry()` works, and what
 * it throws is turned into a `Retry` where the options of the task say so.
 *
 * @throws Retry - The task is to be run again.
 * @throws What `run` throws otherwise; when no retry is left, the error it was retried for.
 */
export async function attemptTask<R>(
  context: TaskContext,
  options: Readonly<SharedTaskOptions>,
  run: () => Promise<R>,
): Promise<R> {
  const retries = new TaskRetries(context.request, options, (message) =>
    context.logger.warn(message),
  );
  beginAttempt(context, retries);
  try {
    const value = await run();
    if (retries.pending) throw retries.pending;
    return value;
  } catch (thrown) {
    throw retries.settle(thrown);
  } finally {
    endAttempt(context);
  }
}
