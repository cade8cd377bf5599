import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import type { TaskQueueSettings } from '../settings/index.js';
import { expandNodeName } from './node-name.js';
import { defaultConcurrency, type PoolName } from './pools/index.js';

/** Levels of the worker's log, as `-l` takes them. */
export const LOG_LEVELS = ['debug', 'info', 'warning', 'error', 'critical'] as const;
export type WorkerLogLevel = (typeof LOG_LEVELS)[number];

/** What may be said when a worker is started; it wins over the settings. */
export interface WorkerOptions {
  /**
   * How many tasks run at a time (`-c`). Default: `worker_concurrency`, else 10 for `async`, 1 for
   * `solo`, the number of cores for the others.
   */
  readonly concurrency?: number;
  /** Where tasks run (`-P`). Default: `worker_pool`, else `async`. */
  readonly pool?: PoolName;
  /** Tasks after which a child is replaced. Default: `worker_max_tasks_per_child`, else never. */
  readonly maxTasksPerChild?: number;
  /** Memory above which a child is replaced, KiB. Default: `worker_max_memory_per_child`. */
  readonly maxMemoryPerChild?: number;
  /** Hard time limit, seconds. Default: `task_time_limit`, else none. */
  readonly timeLimit?: number;
  /** Soft time limit, seconds. Default: `task_soft_time_limit`, else none. */
  readonly softTimeLimit?: number;
  /** Queues to consume (`-Q`). Default: `worker_queues`, else all configured queues. */
  readonly queues?: readonly string[];
  /** Queues not to consume (`-X`). Default: `worker_exclude_queues`. */
  readonly excludeQueues?: readonly string[];
  /** The node's name (`-n`); `%h`, `%n`, `%d` and `%p` are expanded. Default: `worker_name`. */
  readonly hostname?: string;
  /** The least level that is logged (`-l`). Default: `worker_log_level`. */
  readonly logLevel?: WorkerLogLevel;
  /** Whether the banner is printed. Default: `true` for `run`, `false` for `start`. */
  readonly banner?: boolean;
}

/** Options and settings put together. */
export interface ResolvedWorkerOptions {
  readonly concurrency: number;
  readonly pool: PoolName;
  readonly maxTasksPerChild: number | null;
  readonly maxMemoryPerChild: number | null;
  readonly timeLimit: number | null;
  readonly softTimeLimit: number | null;
  readonly queues: readonly string[];
  readonly nodeName: string;
  readonly logLevel: WorkerLogLevel;
}

/**
 * @throws ImproperlyConfigured when no queue is left, a queue is unknown and may not be made, or
 * the concurrency is not a whole number of at least 1.
 */
export function resolveWorkerOptions(
  options: WorkerOptions,
  settings: TaskQueueSettings,
): ResolvedWorkerOptions {
  const pool = options.pool ?? settings.workerPool;
  const asked = options.concurrency ?? settings.workerConcurrency ?? defaultConcurrency(pool);
  const concurrency = pool === 'solo' ? 1 : asked;
  if (!Number.isInteger(concurrency) || concurrency < 1) {
    throw new ImproperlyConfigured(
      `The concurrency of a worker is a whole number of at least 1, not ${concurrency}. ` +
        'Correct -c or CELERY_WORKER_CONCURRENCY.',
    );
  }
  if ((pool === 'prefork' || pool === 'threads') && settings.brokerUrl?.startsWith('memory:')) {
    throw new ImproperlyConfigured(
      `The pool '${pool}' does not go with memory://: what its children publish would stay in ` +
        "the child. Use the pool 'async' or 'solo', or another broker.",
    );
  }
  return {
    concurrency,
    pool,
    maxTasksPerChild: options.maxTasksPerChild ?? settings.workerMaxTasksPerChild,
    maxMemoryPerChild: options.maxMemoryPerChild ?? settings.workerMaxMemoryPerChild,
    timeLimit: options.timeLimit ?? settings.taskTimeLimit,
    softTimeLimit: options.softTimeLimit ?? settings.taskSoftTimeLimit,
    queues: resolveQueues(options, settings),
    nodeName: expandNodeName(options.hostname ?? settings.workerName),
    logLevel: options.logLevel ?? settings.workerLogLevel,
  };
}

/** Celery's rule: `-Q` or all configured queues, less `-X`. */
function resolveQueues(options: WorkerOptions, settings: TaskQueueSettings): string[] {
  const configured = configuredQueues(settings);
  const asked = options.queues ?? settings.workerQueues;
  const excluded = options.excludeQueues ?? settings.workerExcludeQueues;
  if (!settings.taskCreateMissingQueues) {
    const missing = asked.find((queue) => !configured.includes(queue));
    if (missing !== undefined) {
      throw new ImproperlyConfigured(
        `The queue '${missing}' is not configured, and task_create_missing_queues is false. ` +
          `Configured are: ${configured.join(', ')}. Correct -Q, or add it to CELERY_TASK_QUEUES.`,
      );
    }
  }
  const names = [...new Set(asked.length > 0 ? asked : configured)];
  const queues = names.filter((queue) => !excluded.includes(queue));
  if (queues.length === 0) {
    throw new ImproperlyConfigured(
      `No queue is left to consume: ${names.join(', ')} are all excluded. Correct -Q and -X.`,
    );
  }
  return queues;
}

/** The names in `task_queues`, else the default queue. */
export function configuredQueues(settings: TaskQueueSettings): string[] {
  return settings.taskQueues && settings.taskQueues.length > 0
    ? settings.taskQueues.map((queue) => queue.name)
    : [settings.taskDefaultQueue];
}
