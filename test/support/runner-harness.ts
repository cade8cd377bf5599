import type { Delivery } from '../../libs/task-queue/src/brokers/broker.port.js';
import { MemoryBroker } from '../../libs/task-queue/src/brokers/memory/index.js';
import { ManualClock } from '../../libs/task-queue/src/clock/index.js';
import { OperationalError } from '../../libs/task-queue/src/errors/task-queue.errors.js';
import { NO_TASK_HOOKS } from '../../libs/task-queue/src/events/index.js';
import {
  CodecRegistry,
  encodeEnvelope,
  type TaskHeaders,
} from '../../libs/task-queue/src/messages/index.js';
import {
  BrokerStoreBackend,
  decodeMeta,
  ResultRecorder,
  type ResultBackend,
  type TaskMeta,
} from '../../libs/task-queue/src/results/index.js';
import {
  parseSettings,
  type TaskQueueSettingsInput,
} from '../../libs/task-queue/src/settings/index.js';
import {
  attemptTask,
  TaskContext,
  TaskRegistry,
  type RegisteredTask,
  type SharedTaskOptions,
} from '../../libs/task-queue/src/tasks/index.js';
import type { Ending } from '../../libs/task-queue/src/worker/ending.interface.js';
import { AsyncPool } from '../../libs/task-queue/src/worker/pools/async.pool.js';
import { TaskLog } from '../../libs/task-queue/src/worker/task.log.js';
import { TaskRunner } from '../../libs/task-queue/src/worker/task.runner.js';

export type Body = (context: TaskContext, ...args: unknown[]) => unknown;
export type FinishEnding = Extract<Ending, { kind: 'finish' }>;

/** A backend that is not the broker's store, and can be made to fail. */
export class ElsewhereBackend extends BrokerStoreBackend {
  override readonly inBroker = false as unknown as true;
  failures = 0;
  attempts = 0;

  override async store(record: Parameters<ResultBackend['store']>[0]): Promise<boolean> {
    this.attempts += 1;
    if (this.failures > 0) {
      this.failures -= 1;
      throw new OperationalError('The result store is away.');
    }
    return super.store(record);
  }
}

/** A runner over the memory broker, with virtual time, whose log lines are kept. */
export class Harness {
  readonly clock = new ManualClock();
  readonly broker = new MemoryBroker({ clock: this.clock, leaseDuration: 30_000 });
  readonly registry = new TaskRegistry();
  readonly lines: string[] = [];
  readonly backend: ResultBackend;
  readonly runner: TaskRunner;
  private tokens = 0;

  constructor(
    input: TaskQueueSettingsInput = {},
    elsewhere?: (broker: MemoryBroker) => ResultBackend,
  ) {
    const { settings } = parseSettings({ brokerUrl: 'memory://', ...input }, { source: 'test' });
    const { broker, clock, registry } = this;
    this.backend = elsewhere?.(broker) ?? new BrokerStoreBackend(broker);
    const codecs = new CodecRegistry();
    const note = (level: string) => (text: string, stack?: string) =>
      void this.lines.push(`${level}: ${text}${stack === undefined ? '' : '\n' + stack}`);
    const sink = { log: note('log'), warn: note('warn'), error: note('error') };
    this.runner = new TaskRunner({
      registry,
      recorder: new ResultRecorder(settings, clock, (name) =>
        registry.has(name) ? registry.get(name).options : undefined,
      ),
      backend: this.backend,
      broker,
      codecs,
      acceptContent: codecs.acceptList(['json']),
      settings,
      clock,
      nodeName: 'celery@host',
      pool: new AsyncPool(4),
      log: new TaskLog(sink, true),
      limits: { watch: () => ({ clear: () => undefined }) },
      hooks: NO_TASK_HOOKS,
    });
  }

  task(name: string, body: Body, options: SharedTaskOptions = {}): this {
    this.registry.register({
      name,
      options,
      place: `Tests.${name}`,
      definition: {} as RegisteredTask['definition'],
      invoke: (context, args) =>
        TaskContext.run(context, () =>
          attemptTask(context, options, async () => body(context, ...args)),
        ),
    });
    return this;
  }

  message(args: unknown[] = [], headers: TaskHeaders = {}): string {
    return encodeEnvelope({ id: 'id', task: 'task', args, kwargs: {}, headers }, { maxBytes: 1e9 });
  }

  delivery(fields: Partial<Delivery> = {}): Delivery {
    this.tokens += 1;
    return {
      lease: { id: 'id-1', queue: 'celery', token: `token-${this.tokens}` },
      name: 'task',
      data: this.message(),
      publishedAt: this.clock.now(),
      redeliveries: 0,
      postponements: 0,
      revoked: false,
      ...fields,
    };
  }

  async run(fields: Partial<Delivery> = {}): Promise<Ending> {
    return this.runner.handle(this.delivery(fields));
  }

  /** Runs a delivery that finishes, and says so to the log as the pump does. */
  async finish(fields: Partial<Delivery> = {}): Promise<{
    ending: FinishEnding;
    meta: TaskMeta | undefined;
    failure: { exc_type: string; exc_message: unknown };
  }> {
    const ending = await this.run(fields);
    if (ending.kind !== 'finish') {
      throw new Error(`The ending is ${ending.kind}.`);
    }
    ending.recorded?.();
    const { record } = ending.outcome;
    const meta = record ? decodeMeta(record.payload) : undefined;
    return { ending, meta, failure: meta?.result as never };
  }
}
