import { Logger } from '@nestjs/common';
import type { BrokerLogger } from '../brokers/broker-options.interface.js';
import type { Broker, LeaseKeeper } from '../brokers/broker.port.js';
import type { Clock, Timer } from '../clock/index.js';
import { ImproperlyConfigured, TaskQueueError } from '../errors/task-queue.errors.js';
import type { TaskHooks, TaskSignals } from '../events/index.js';
import { decodeControl, type CodecRegistry } from '../messages/index.js';
import { ResultRecorder, type ResultBackend } from '../results/index.js';
import type { TaskQueueSettings } from '../settings/index.js';
import type { TaskRegistry } from '../tasks/index.js';
import { VERSION } from '../version.js';
import { Pauses } from './pauses.js';
import type { BlockedLoopGuard } from './blocked-loop.guard.js';
import { startPool } from './pool.starter.js';
import type { Pool } from './pools/index.js';
import { TaskLog } from './task.log.js';
import { TaskPump } from './task.pump.js';
import { TaskRunner } from './task.runner.js';
import {
  resolveWorkerOptions,
  type ResolvedWorkerOptions,
  type WorkerOptions,
} from './worker-options.js';
import { renderBanner } from './worker.banner.js';
import { WorkerUpkeep } from './worker.upkeep.js';

export interface TaskWorkerDeps {
  readonly settings: TaskQueueSettings;
  readonly broker: Broker;
  readonly backend: ResultBackend;
  readonly registry: TaskRegistry;
  readonly codecs: CodecRegistry;
  readonly clock: Clock;
  readonly signals: TaskSignals;
  readonly hooks: TaskHooks;
}

/** Pause before another attempt to reach the broker at start, milliseconds: 2 s, 4 s, ... */
const STARTUP_PAUSE = 2000;
const LONGEST_STARTUP_PAUSE = 30_000;

/** How long a start waits for the listeners of `workerInit`, milliseconds. */
const INIT_PATIENCE = 60_000;

/** How long a shutdown waits for listeners and hooks, milliseconds: warm and cold. */
const WARM_PATIENCE = 10_000;
const COLD_PATIENCE = 1000;

/** What a started worker is made of. */
interface Parts {
  readonly options: ResolvedWorkerOptions;
  readonly pool: Pool;
  readonly guard: BlockedLoopGuard | undefined;
  readonly runner: TaskRunner;
  readonly leases: LeaseKeeper;
  readonly pump: TaskPump;
  readonly upkeep: WorkerUpkeep;
}

/**
 * Consumes queues and runs tasks. Part of every application that imports `TaskQueueModule`, and
 * idle until `start` or `run` is called: `runWorker` does it in a process of its own.
 */
export class TaskWorker {
  private readonly logger = new Logger('TaskWorker');
  private parts: Parts | undefined;
  private phase: 'idle' | 'starting' | 'running' | 'stopping' | 'stopped' = 'idle';
  private starting: Promise<void> | undefined;
  private ended: Promise<void> | undefined;
  private terminated: Promise<void> | undefined;
  private finished: Promise<void> | undefined;
  private stopAsked = false;
  private readonly pauses: Pauses;
  private readonly endListeners: (() => void)[] = [];

  constructor(private readonly deps: TaskWorkerDeps) {
    this.pauses = new Pauses(deps.clock);
  }

  /** Whether tasks are being taken: goes down before a shutdown begins. */
  get isReady(): boolean {
    return this.phase === 'running';
  }

  /** How many tasks run now. */
  get activeCount(): number {
    return this.parts?.pump.running ?? 0;
  }

  /**
   * Connects, starts to consume, and returns. For tests and for running a worker inside another
   * application; stop it with `stop`. When `stop` is called meanwhile, it returns without having
   * started.
   *
   * @throws OperationalError when the broker is away and may not be waited for
   * (`broker_connection_retry_on_startup` false, or `broker_connection_max_retries` used up).
   * @throws ImproperlyConfigured when an option is wrong, or the worker was started before.
   */
  async start(options: WorkerOptions = {}): Promise<void> {
    if (this.phase !== 'idle') {
      throw new ImproperlyConfigured(
        'This worker was started before. A TaskWorker is started once; make another application ' +
          'context for another worker.',
      );
    }
    const resolved = resolveWorkerOptions(options, this.deps.settings);
    this.phase = 'starting';
    this.starting = this.startWith(resolved, options.banner ?? false);
    await this.starting;
  }

  /** Starts and resolves when the worker has been stopped. @throws as `start`. */
  async run(options: WorkerOptions = {}): Promise<void> {
    const end = new Promise<void>((resolve) => this.endListeners.push(resolve));
    await this.start({ banner: true, ...options });
    await end;
  }

  /**
   * Warm shutdown: takes no more tasks, lets those that run finish, then resolves. Bounded by
   * `worker_soft_shutdown_timeout` when it is set; then tasks that still run are handed back.
   * A worker that is starting gives up its start; one that is not started cannot be any more.
   */
  stop(): Promise<void> {
    this.stopAsked = true;
    this.pauses.endAll();
    this.ended ??= this.shutDown();
    return this.ended;
  }

  /**
   * Cold shutdown: hands every running task back at once, to be run again by another worker.
   * Also ends a warm shutdown that is under way.
   */
  terminate(): Promise<void> {
    this.stopAsked = true;
    this.pauses.endAll();
    this.terminated ??= this.handBackAll();
    this.ended ??= this.terminated;
    return this.terminated;
  }

  private async startWith(options: ResolvedWorkerOptions, banner: boolean): Promise<void> {
    const { signals } = this.deps;
    try {
      if (signals.has('workerInit')) {
        await signals.emitAndWait('workerInit', described(options), INIT_PATIENCE);
      }
      await this.connect();
      this.parts = this.stopAsked ? undefined : await this.build(options);
    } catch (error) {
      this.endRun();
      throw error;
    }
    if (this.stopAsked || !this.parts) {
      // A signal came before the worker was ready.
      try {
        await this.parts?.leases.close();
        await this.parts?.guard?.close();
        await this.parts?.pool.close();
      } finally {
        this.endRun();
      }
      return;
    }
    if (banner) {
      process.stdout.write(this.banner(options, this.parts.pool));
    }
    this.phase = 'running';
    this.parts.pump.start();
    this.parts.upkeep.start();
    this.logger.log(`${options.nodeName} ready.`);
    signals.emit('workerReady', described(options));
  }

  /** A start under way is over soon: `stopAsked` ends it. Its own caller hears of its errors. */
  private async startIsOver(): Promise<void> {
    if (this.phase === 'starting') {
      await this.starting?.catch(() => undefined);
    }
  }

  private async handBackAll(): Promise<void> {
    const { parts } = this;
    if (this.phase !== 'running' && this.phase !== 'stopping') {
      return this.startIsOver();
    }
    if (this.phase === 'running') {
      this.tellOfShutdown(parts!, 'cold');
    }
    this.phase = 'stopping';
    parts!.runner.abandonAll();
    const count = await parts!.pump.abandon();
    if (count > 0) {
      this.logger.warn(`Restoring ${count} unacknowledged message(s)`);
    }
    await this.finishShutdown(parts!);
  }

  private async shutDown(): Promise<void> {
    const { parts } = this;
    if (this.phase !== 'running') {
      return this.startIsOver();
    }
    this.phase = 'stopping';
    this.tellOfShutdown(parts!, 'warm');
    const timer = this.limitShutdown();
    await parts!.pump.drain();
    timer?.clear();
    await (this.terminated ?? this.finishShutdown(parts!));
  }

  private tellOfShutdown({ options }: Parts, how: 'warm' | 'cold'): void {
    this.deps.signals.emit('workerShuttingDown', { ...described(options), how });
  }

  private limitShutdown(): Timer | undefined {
    const seconds = this.deps.settings.workerSoftShutdownTimeout;
    if (seconds <= 0) {
      return undefined;
    }
    return this.deps.clock.setTimer(seconds * 1000, () => {
      this.logger.warn(
        `worker_soft_shutdown_timeout (${seconds}s) is over: tasks that still run are handed back.`,
      );
      // `stop` waits for it and has its errors.
      this.terminate().catch(() => undefined);
    });
  }

  private finishShutdown(parts: Parts): Promise<void> {
    this.finished ??= this.closeParts(parts);
    return this.finished;
  }

  private async closeParts({ options, upkeep, leases, pool, guard }: Parts): Promise<void> {
    upkeep.stop();
    try {
      await leases.close();
      await guard?.close();
      await pool.close();
    } finally {
      const { signals } = this.deps;
      const patience = this.terminated ? COLD_PATIENCE : WARM_PATIENCE;
      await signals.settle(patience);
      await signals.emitAndWait('workerShutdown', described(options), patience);
      this.endRun();
    }
  }

  private endRun(): void {
    this.phase = 'stopped';
    this.endListeners.splice(0).forEach((resolve) => resolve());
  }

  /** Waits for the broker as the broker_connection_* settings say. */
  private async connect(): Promise<void> {
    const { broker, settings } = this.deps;
    const mayRetry = settings.brokerConnectionRetryOnStartup ?? settings.brokerConnectionRetry;
    const most = settings.brokerConnectionMaxRetries || Infinity;
    for (let attempt = 1; !this.stopAsked; attempt += 1) {
      try {
        await broker.connect();
        this.logger.log(`Connected to ${broker.description}`);
        return;
      } catch (error) {
        if (this.stopAsked) {
          return;
        }
        if (!mayRetry || attempt > most || !isWorthRetrying(error)) {
          throw error;
        }
        const pause = Math.min(STARTUP_PAUSE * attempt, LONGEST_STARTUP_PAUSE);
        this.logger.error(
          `consumer: Cannot connect to ${broker.description}: ${(error as Error).message} ` +
            `Trying again in ${(pause / 1000).toFixed(2)} seconds... ` +
            `(${attempt}/${most === Infinity ? 'for ever' : most})`,
        );
        await this.pauses.of(pause);
      }
    }
  }

  private async build(options: ResolvedWorkerOptions): Promise<Parts> {
    const { broker, backend, clock, codecs, hooks, registry, settings } = this.deps;
    const { limits, pool, guard } = await startPool({ ...this.deps, logger: this.logger }, options);
    const log = new TaskLog(
      new Logger('Task'),
      options.logLevel === 'info' || options.logLevel === 'debug',
    );
    const recorder = new ResultRecorder(settings, clock, (name) =>
      registry.has(name) ? registry.get(name).options : undefined,
    );
    const runner = new TaskRunner({
      registry,
      recorder,
      backend,
      broker,
      codecs,
      acceptContent: codecs.acceptList(settings.acceptContent),
      settings,
      clock,
      nodeName: options.nodeName,
      pool,
      limits,
      log,
      hooks,
    });
    await broker.onBroadcast((text) => {
      const message = decodeControl(text);
      if (message) {
        runner.revoke(message.id, message.terminate);
      }
    });
    const leases = await broker.keepLeases(options.concurrency);
    leases.onLost((lease) => runner.leaseLost(lease));
    const logger: BrokerLogger = this.logger;
    const pump = new TaskPump({
      broker,
      queues: options.queues,
      concurrency: options.concurrency,
      handle: (delivery) => runner.handle(delivery),
      mayHandBack: (lease) => runner.mayHandBack(lease),
      leases,
      clock,
      logger,
    });
    const expiredRecord = (id: string) => recorder.revoked(id, 'expired');
    const upkeep = new WorkerUpkeep({
      broker,
      queues: options.queues,
      clock,
      logger,
      checkInterval: settings.brokerLeaseCheckInterval * 1000,
      expiredRecord: (id) => (backend.inBroker ? expiredRecord(id) : undefined),
      onExpired: async (id) => {
        const record = expiredRecord(id);
        if (!backend.inBroker && record) {
          await backend.store(record);
          await broker.announce(id, record.payload);
        }
        this.logger.log(`Discarding revoked task: ${id} (expired)`);
        hooks.revoked({ id, task: '' }, 'expired');
      },
      onReclaimed: (queue) => pump.nudge(queue),
    });
    return { options, pool, guard, runner, leases, pump, upkeep };
  }

  private banner(options: ResolvedWorkerOptions, pool: Pool): string {
    const { backend, broker, registry } = this.deps;
    return `\n${renderBanner({
      nodeName: options.nodeName,
      version: VERSION,
      appName: options.nodeName.split('@')[0] ?? '',
      transport: broker.description,
      results: backend.description,
      concurrency: pool.size,
      pool: pool.name,
      queues: options.queues,
      taskNames: registry.names(),
      now: new Date(this.deps.clock.now()),
    })}\n`;
  }
}

/** What the listeners of a worker's signals are told. */
function described({ nodeName, concurrency, queues }: ResolvedWorkerOptions) {
  return { hostname: nodeName, concurrency, queues };
}

/** A wrong password or a wrong setting does not get better by waiting. */
function isWorthRetrying(error: unknown): boolean {
  return (
    error instanceof TaskQueueError &&
    !(error instanceof ImproperlyConfigured) &&
    !/password|login|permission|does not exist/i.test(error.message)
  );
}
