import type { Broker, OutgoingTask } from '../brokers/broker.port.js';
import type { Clock, Timer } from '../clock/index.js';
import { OperationalError } from '../errors/task-queue.errors.js';
import { maskUrlPasswords } from '../messages/index.js';
import type { RetryPolicy } from './apply-options.interface.js';
import { pauseBefore } from './retry-policy.js';

/**
 * Publishes tasks, again and again while the broker cannot be reached: as often as `policy` says,
 * and never longer than `timeout` in all, even when an attempt does not come back.
 *
 * @param policy - `null`: one attempt.
 * @param timeout - Milliseconds.
 * @throws OperationalError - The broker could not be reached. `cause` is the last attempt's error.
 */
export function publishWithin(
  broker: Pick<Broker, 'description' | 'publish'>,
  tasks: readonly OutgoingTask[],
  policy: RetryPolicy | null,
  timeout: number,
  clock: Clock,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    let retries = 0;
    let lastError: unknown;
    let pause: Timer | undefined;
    const end = (settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      deadline.clear();
      pause?.clear();
      settle();
    };
    const fail = (): void =>
      end(() => reject(unreachable(broker, tasks, retries + 1, timeout, lastError)));
    const onError = (error: unknown): void => {
      if (isOver) return;
      if (!(error instanceof OperationalError)) {
        end(() => reject(error));
        return;
      }
      lastError = error;
      const delay = policy === null ? undefined : pauseBefore(policy, retries);
      if (delay === undefined) {
        fail();
        return;
      }
      pause = clock.setTimer(delay, () => {
        retries += 1;
        attempt();
      });
    };
    const attempt = (): void => {
      broker.publish(tasks, retries > 0).then(() => end(resolve), onError);
    };
    const deadline = clock.setTimer(timeout, fail);
    attempt();
  });
}

function unreachable(
  { description }: Pick<Broker, 'description'>,
  tasks: readonly OutgoingTask[],
  attempts: number,
  timeout: number,
  cause: unknown,
): OperationalError {
  const what =
    tasks.length === 1 ? `The task '${tasks[0]!.name}' was` : `${tasks.length} tasks were`;
  const why =
    cause === undefined
      ? `gave no answer within the ${timeout / 1000} s of task_publish_timeout`
      : `could not be reached in ${attempts === 1 ? 'one attempt' : `${attempts} attempts`}`;
  const said = cause instanceof Error ? ` It said: ${cause.message}` : '';
  return new OperationalError(
    maskUrlPasswords(
      `${what} not published: the broker ${description} ${why}. Check that it is running and ` +
        'that CELERY_BROKER_URL is right. Publishing again with the same taskId is safe.' +
        said,
    ),
    { cause },
  );
}
