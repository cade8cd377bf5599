import type { SharedTaskOptions } from '../tasks/index.js';
import type { RetryPolicy } from './apply-options.interface.js';
import type { CallOptions } from './call-options.interface.js';
import type { ClientSettings } from './client-settings.interface.js';

type MergedSettings = Pick<
  ClientSettings,
  | 'taskDefaultPriority'
  | 'taskDefaultQueue'
  | 'taskIgnoreResult'
  | 'taskPublishRetry'
  | 'taskPublishRetryPolicy'
  | 'taskSerializer'
>;

/** The options of the task itself that a call may change, its times absolute. */
export type TaskCallOptions = Pick<
  SharedTaskOptions,
  'ignoreResult' | 'priority' | 'queue' | 'serializer'
> & {
  readonly expiresAt?: number;
};

/** What one call is made with, once everybody was asked. */
export interface MergedOptions extends CallOptions {
  readonly queue: string;
  readonly priority: number;
  readonly serializer: string;
  /** What was decided; the message carries only what the call said. */
  readonly ignored: boolean;
  /** `null`: one attempt. */
  readonly policy: RetryPolicy | null;
}

/**
 * Merges the options of a call: call, then task, then route, then setting.
 *
 * @param inherited - The priority of the task that calls, where it is to be inherited: before the
 * setting.
 */
export function mergeOptions(
  call: CallOptions,
  task: TaskCallOptions,
  route: CallOptions,
  settings: MergedSettings,
  inherited?: number,
): MergedOptions {
  const retry = call.retry ?? route.retry ?? settings.taskPublishRetry;
  return {
    ...route,
    ...task,
    ...call,
    ...((route.headers || call.headers) && { headers: { ...route.headers, ...call.headers } }),
    queue: call.queue ?? task.queue ?? route.queue ?? settings.taskDefaultQueue,
    priority:
      call.priority ??
      task.priority ??
      route.priority ??
      inherited ??
      settings.taskDefaultPriority ??
      0,
    serializer: call.serializer ?? task.serializer ?? route.serializer ?? settings.taskSerializer,
    ignored:
      call.ignoreResult ?? task.ignoreResult ?? route.ignoreResult ?? settings.taskIgnoreResult,
    ignoreResult:
      call.ignoreResult ?? (task.ignoreResult === undefined ? route.ignoreResult : undefined),
    policy: retry ? policyOf(call, route, settings) : null,
  };
}

function policyOf(call: CallOptions, route: CallOptions, settings: MergedSettings): RetryPolicy {
  const { taskPublishRetryPolicy } = settings;
  return call.retryPolicy || route.retryPolicy
    ? { ...taskPublishRetryPolicy, ...route.retryPolicy, ...call.retryPolicy }
    : taskPublishRetryPolicy;
}
