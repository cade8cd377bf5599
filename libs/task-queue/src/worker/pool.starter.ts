import { Logger } from '@nestjs/common';
import type { BrokerLogger } from '../brokers/broker-options.interface.js';
import type { Broker } from '../brokers/broker.port.js';
import type { Clock } from '../clock/index.js';
import { TimeLimitExceeded } from '../errors/task-queue.errors.js';
import { knownErrorClasses, ResultRecorder, type ResultBackend } from '../results/index.js';
import type { TaskQueueSettings } from '../settings/index.js';
import type { TaskRegistry } from '../tasks/index.js';
import {
  BlockedLoopGuard,
  overdueFile,
  takeOverdueRuns,
  type OverdueRun,
} from './blocked-loop.guard.js';
import { createPool, type Pool } from './pools/index.js';
import { TimeLimits } from './time-limits.js';
import type { ResolvedWorkerOptions } from './worker-options.js';

export interface PoolStarterDeps {
  readonly settings: TaskQueueSettings;
  readonly broker: Broker;
  readonly backend: ResultBackend;
  readonly registry: TaskRegistry;
  readonly clock: Clock;
  readonly logger: BrokerLogger;
}

/** A started pool, and what holds its tasks to their time limits. */
export interface StartedPool {
  readonly pool: Pool;
  readonly limits: TimeLimits;
  /** For a pool that runs tasks on the worker's own event loop. */
  readonly guard: BlockedLoopGuard | undefined;
}

/**
 * Starts the pool of a worker, and records the tasks that ended the worker before it.
 *
 * @throws ImproperlyConfigured when a task has a time limit that the pool could not honour.
 */
export async function startPool(
  deps: PoolStarterDeps,
  options: ResolvedWorkerOptions,
): Promise<StartedPool> {
  const { broker, clock, logger, registry, settings } = deps;
  const pool = createPool(options.pool, {
    size: options.concurrency,
    clock,
    logger,
    errorClasses: () =>
      knownErrorClasses(registry.errorClasses().values(), settings.resultKnownErrors),
    maxTasksPerChild: options.maxTasksPerChild,
    maxMemoryPerChild: options.maxMemoryPerChild,
    startTimeout: settings.workerProcAliveTimeout * 1000,
  });
  const file = overdueFile(options.nodeName, broker.description);
  const needsGuard = pool.limits.hard && !pool.limits.blocked;
  const guard = needsGuard ? BlockedLoopGuard.open(file) : undefined;
  try {
    const limits = new TimeLimits({
      clock,
      pool,
      settings: { taskTimeLimit: options.timeLimit, taskSoftTimeLimit: options.softTimeLimit },
      logger: new Logger('Task'),
      ...(guard ? { guard } : {}),
    });
    limits.assertAll(registry.names().map((name) => registry.get(name)));
    await pool.start();
    await recordOverdue(deps, takeOverdueRuns(file));
    return { pool, limits, guard };
  } catch (error) {
    await guard?.close();
    await pool.close();
    throw error;
  }
}

/** Tasks that blocked the worker before this one beyond their limit, and were ended with it. */
async function recordOverdue(deps: PoolStarterDeps, runs: readonly OverdueRun[]): Promise<void> {
  const { backend, broker, clock, logger, settings } = deps;
  const recorder = new ResultRecorder(settings, clock);
  for (const { lease, task, limit } of runs) {
    const request = { id: lease.id, task, args: [], kwargs: {}, retries: 0 };
    const record = recorder.failure(request, new TimeLimitExceeded(limit));
    try {
      if (record && !backend.inBroker) {
        await backend.store(record);
      }
      const outcome = !record ? {} : backend.inBroker ? { record } : { announce: record.payload };
      await broker.finish(lease, outcome, false);
      logger.error(`Hard time limit (${limit}s) exceeded for ${task}[${lease.id}]`);
    } catch (error) {
      // Its lease is over: it is run again, as the task of any lost worker.
      logger.warn(`${task}[${lease.id}] could not be ended: ${(error as Error).message}`);
    }
  }
}
