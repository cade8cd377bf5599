import { randomUUID } from 'node:crypto';
import { raw2NextJobData, type JobJson } from 'bullmq';
import { ImproperlyConfigured, LeaseLostError } from '../../errors/task-queue.errors.js';
import type { BrokerOptions } from '../broker-options.interface.js';
import type {
  Broker,
  DeadLetter,
  Delivery,
  Fetched,
  Lease,
  LeaseKeeper,
  Outcome,
  OutgoingTask,
  QueueCounts,
  ResultListener,
  ResultRecord,
  TaskLocation,
  WorkSign,
} from '../broker.port.js';
import { ThreadLeaseKeeper } from '../leases/index.js';
import { BullQueues, type BullQueue, type ScriptArguments } from './bull-queue.js';
import {
  closeClient,
  createClient,
  toOperationalError,
  whenReady,
  type ClientPurpose,
  type RedisClient,
} from './redis-clients.js';
import {
  describeEndpoint,
  isSameServer,
  parseRedisUrl,
  type RedisEndpoint,
} from './redis-endpoint.js';
import { RedisInspector } from './redis-inspector.js';
import { RedisKeys } from './redis-keys.js';
import { RedisNotifier } from './redis-notifier.js';
import { pushTask, RedisPublisher } from './redis-publisher.js';
import { RedisResultStore } from './redis-result-store.js';
import { BULL_KEYS } from './redis-scripts.js';
import { RedisWorkSignal } from './redis-work-signal.js';

/** How long a task that ran is remembered, so that a publish tried again does not repeat it. */
const DONE_MARK_TTL = 60_000;

/** How many expired tasks one call ends. */
const EXPIRE_BATCH = 200;

/** KEYS of our composed scripts: BullMQ's and ours. */
const FINISH_KEYS = BULL_KEYS.moveToFinished + 5;
const EXPIRE_KEYS = BULL_KEYS.removeJob + 4;

/** ARGV of `moveToFinished`; the last may be absent and must not move ours. */
const BULL_FINISH_ARGUMENTS = 9;

/** `[job, id, rate limit, next due time]`, as BullMQ's scripts answer a fetch. */
type NextJob = [JobJson | null | undefined, string?, number?, number?] | [];

/** Runs in the lease thread. Naming its type makes the compiler carry the file along. */
export type RedisLeaseRenewer = typeof import('./redis-lease-renewer.mjs');

/** The Redis driver: BullMQ's layout and scripts, composed with ours. */
export class RedisBroker implements Broker {
  readonly description: string;
  readonly results: RedisResultStore;
  private readonly endpoint: RedisEndpoint;
  private readonly keys: RedisKeys;
  private readonly homeDb: number;
  private readonly resultDb: number;
  private readonly processId = randomUUID();
  private readonly clients = new Map<ClientPurpose, RedisClient>();
  /** Attempts to connect that are under way: however many callers wait, there is one. */
  private readonly opening = new Map<ClientPurpose, Promise<void>>();
  /** Queues on the consumer's connection and on the producer's. */
  private readonly consumerQueues: BullQueues;
  private readonly producerQueues: BullQueues;
  private readonly publisher: RedisPublisher;
  private readonly notifier: RedisNotifier;
  private readonly signal: RedisWorkSignal;
  private readonly inspector: RedisInspector;
  private tokenCount = 0;
  private closed = false;

  constructor(private readonly options: BrokerOptions) {
    this.endpoint = parseRedisUrl(options);
    this.description = describeEndpoint(this.endpoint);
    this.homeDb = this.endpoint.options.db ?? 0;
    this.resultDb = resultDatabase(options, this.endpoint) ?? this.homeDb;
    this.keys = new RedisKeys({
      globalPrefix: textOption(options.transportOptions, 'global_keyprefix'),
      resultPrefix: textOption(
        options.resultTransportOptions ?? options.transportOptions,
        'global_keyprefix',
      ),
      cluster: this.endpoint.kind === 'cluster',
    });
    const { keys, resultDb, homeDb } = this;
    const run = this.run.bind(this);
    this.consumerQueues = this.bullQueues('consumer');
    this.producerQueues = this.bullQueues('producer');
    this.results = new RedisResultStore({ keys, resultDb, homeDb, run });
    this.publisher = new RedisPublisher({
      keys,
      resultDb,
      homeDb,
      queue: (name) => this.producerQueues.get(name),
      now: () => options.clock.now(),
      client: () => this.ready('producer'),
    });
    this.notifier = new RedisNotifier({
      keys,
      processId: this.processId,
      subscriber: () => this.client('subscriber'),
      subscriberReady: (client) => whenReady(client, options.connectionTimeout),
      run,
    });
    this.signal = new RedisWorkSignal({
      keys,
      processId: this.processId,
      blocking: () => this.ready('blocking'),
      command: () => this.client('consumer'),
    });
    this.inspector = new RedisInspector({
      keys,
      run,
      queue: (name) => this.producerQueues.get(name),
    });
  }

  // --- producers

  async publish(tasks: readonly OutgoingTask[], retrying = false): Promise<void> {
    try {
      await this.publisher.publish(tasks, retrying);
    } catch (error) {
      throw toOperationalError(error, this.endpoint, 'Publishing');
    }
  }

  watch(id: string): Promise<void> {
    return this.guard('Waiting for a result', () => this.notifier.watch(id));
  }

  unwatch(id: string): Promise<void> {
    return this.notifier.unwatch(id);
  }

  onResult(listener: ResultListener): void {
    this.notifier.onResult(listener);
  }

  async announce(id: string, payload: string): Promise<void> {
    await this.run('Announcing a result', (client) =>
      client.celeryAnnounce(1, this.keys.watch(id), id, payload),
    );
  }

  locate(id: string): Promise<TaskLocation | undefined> {
    return this.inspector.locate(id);
  }

  // --- consumers

  async connect(): Promise<void> {
    await this.guard('Connecting', async () => {
      const client = await this.ready('consumer');
      await this.ready('blocking');
      const policy = /maxmemory_policy:(\S+)/.exec(await client.info('memory'))?.[1];
      if (policy && policy !== 'noeviction') {
        this.options.logger.warn(
          `The Redis at ${this.description} evicts keys when it is full (maxmemory-policy ` +
            `'${policy}'): tasks and results can disappear. Set maxmemory-policy to noeviction.`,
        );
      }
    });
  }

  fetch(queue: string): Promise<Fetched> {
    return this.guard('Fetching', async () => {
      const client = await this.ready('consumer');
      const token = this.newToken();
      const args = this.queue(queue).fetchArguments(token);
      const answer = (await client.celeryFetch(BULL_KEYS.moveToActive, ...args)) as any[];
      return this.toFetched(queue, token, raw2NextJobData(answer) as NextJob);
    });
  }

  finish(lease: Lease, outcome: Outcome, fetchNext: boolean): Promise<Fetched> {
    return this.guard('Recording an outcome', async () => {
      const client = await this.ready('consumer');
      const args = this.finishArguments(lease, outcome, fetchNext);
      const answer: unknown = await (outcome.publish?.length
        ? client.celeryFinishAndPublish(FINISH_KEYS, ...args)
        : client.celeryFinish(FINISH_KEYS, ...args));
      if (typeof answer === 'number' && answer < 0) {
        throw new LeaseLostError(lease.id);
      }
      return this.toFetched(lease.queue, lease.token, raw2NextJobData(answer as any[]) as NextJob);
    });
  }

  release(lease: Lease): Promise<void> {
    return this.guard('Handing a task back', () =>
      this.underLease(lease, () =>
        this.queue(lease.queue).moveJobFromActiveToWait(lease.id, lease.token),
      ),
    );
  }

  postpone(lease: Lease, delay: number): Promise<void> {
    return this.guard('Postponing a task', () =>
      this.underLease(lease, () =>
        this.queue(lease.queue).moveToDelayed(
          lease.id,
          this.options.clock.now(),
          Math.max(1, Math.ceil(delay)),
          lease.token,
          { skipAttempt: false },
        ),
      ),
    );
  }

  waitForWork(queues: readonly string[], timeout: number): Promise<WorkSign[]> {
    return this.guard('Waiting for work', () => this.signal.wait(queues, timeout));
  }

  wakeUp(): void {
    this.signal.wakeUp();
  }

  keepLeases(capacity: number): Promise<LeaseKeeper> {
    return ThreadLeaseKeeper.start({
      renewerUrl: new URL('./redis-lease-renewer.mjs', import.meta.url).href,
      renewerConfig: { endpoint: this.endpoint, prefix: this.keys.bullPrefix },
      leaseDuration: this.options.leaseDuration,
      capacity,
      logger: this.options.logger,
    });
  }

  reclaim(queue: string): Promise<string[]> {
    return this.guard('Reclaiming', async () => {
      const client = await this.ready('consumer');
      const backend = this.queue(queue);
      const reclaimed: string[] = [];
      // BullMQ marks in one pass and moves in the next. A missing lock is proof enough, so both
      // passes are made at once.
      for (let pass = 0; pass < 2; pass += 1) {
        await client.del(this.keys.bull(queue, 'stalled-check'));
        reclaimed.push(...(await backend.moveStalledJobsToWait()));
      }
      return reclaimed;
    });
  }

  expire(record: (id: string) => ResultRecord | undefined): Promise<string[]> {
    return this.run('Ending expired tasks', async (client) => {
      const now = this.options.clock.now();
      const ended: string[] = [];
      // Tasks that workers hold stay listed, and are stepped over.
      let held = 0;
      for (;;) {
        const page = ['LIMIT', held, EXPIRE_BATCH] as const;
        const due = await client.zrangebyscore(this.keys.expires, '-inf', now, ...page);
        const answers = await Promise.all(
          due.map((member) => this.expireOne(client, member, record)),
        );
        answers.forEach(({ id, answer }) => {
          held += answer === 'held' ? 1 : 0;
          if (answer === 'ended') {
            ended.push(id);
          }
        });
        if (due.length < EXPIRE_BATCH) {
          return ended;
        }
      }
    });
  }

  // --- looking and clearing

  queues(): Promise<string[]> {
    return this.inspector.queues();
  }

  counts(queue: string): Promise<QueueCounts> {
    return this.inspector.counts(queue);
  }

  deadLetters(queue: string, limit = 100): Promise<DeadLetter[]> {
    return this.inspector.deadLetters(queue, limit);
  }

  purge(queue: string): Promise<number> {
    return this.inspector.purge(queue);
  }

  async ping(): Promise<void> {
    await this.run('A ping', (client) => client.ping());
  }

  async close(): Promise<void> {
    if (this.closed) {
      return;
    }
    this.closed = true;
    this.signal.close();
    await Promise.all([...this.clients.values()].map((client) => closeClient(client)));
    this.clients.clear();
  }

  // --- inside

  private newToken(): string {
    this.tokenCount += 1;
    return `${this.processId}:${this.tokenCount}`;
  }

  /** A connection, opened at its first use. */
  private client(purpose: ClientPurpose): RedisClient {
    if (this.closed) {
      throw new Error('The broker is closed.');
    }
    let client = this.clients.get(purpose);
    if (!client) {
      client = createClient(this.endpoint, purpose, this.options.connectionTimeout);
      this.clients.set(purpose, client);
    }
    return client;
  }

  private async ready(purpose: ClientPurpose): Promise<RedisClient> {
    const client = this.client(purpose);
    if (client.status !== 'ready') {
      let opening = this.opening.get(purpose);
      if (!opening) {
        opening = whenReady(client, this.options.connectionTimeout).finally(() =>
          this.opening.delete(purpose),
        );
        this.opening.set(purpose, opening);
      }
      await opening;
    }
    return client;
  }

  private bullQueues(purpose: ClientPurpose): BullQueues {
    return new BullQueues(() => this.client(purpose), {
      prefix: this.keys.bullPrefix,
      lockDuration: this.options.leaseDuration,
    });
  }

  private queue(name: string): BullQueue {
    return this.consumerQueues.get(name);
  }

  /** A producer's command: on a connection that can be used now, or an OperationalError. */
  private run<T>(doing: string, command: (client: RedisClient) => Promise<T>): Promise<T> {
    return this.guard(doing, async () => command(await this.ready('producer')));
  }

  private async guard<T>(doing: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      if (error instanceof LeaseLostError || error instanceof ImproperlyConfigured) {
        throw error;
      }
      throw toOperationalError(error, this.endpoint, doing);
    }
  }

  /** Runs one of BullMQ's own moves; its complaints about the lock mean a lost lease. */
  private async underLease(lease: Lease, move: () => Promise<unknown>): Promise<void> {
    await this.ready('consumer');
    try {
      await move();
    } catch (error) {
      if (
        error instanceof Error &&
        /Missing (lock|key)|Lock mismatch|not in the/i.test(error.message)
      ) {
        throw new LeaseLostError(lease.id);
      }
      throw error;
    }
  }

  private finishArguments(
    lease: Lease,
    outcome: Outcome,
    fetchNext: boolean,
  ): (string | number | Buffer)[] {
    const { keys, homeDb, resultDb } = this;
    const { record, deadLetter } = outcome;
    const queue = this.queue(lease.queue);
    const bull: ScriptArguments =
      deadLetter === undefined
        ? queue.completedArguments(lease.id, lease.token, fetchNext)
        : queue.failedArguments(lease.id, lease.token, deadLetter, fetchNext);
    const bullKeys = BULL_KEYS.moveToFinished;
    const args: (string | number | Buffer)[] = bull.slice(0, bullKeys) as string[];
    args.push(
      keys.meta(lease.id),
      keys.watch(lease.id),
      keys.done(lease.id),
      keys.expires,
      keys.queues,
    );
    for (let i = 0; i < BULL_FINISH_ARGUMENTS; i += 1) {
      args.push(bull[bullKeys + i] ?? '');
    }
    args.push(
      lease.id,
      record?.status ?? '',
      record?.payload ?? '',
      record?.ttl ?? '',
      resultDb,
      homeDb,
      outcome.announce ?? '',
      // A stored result is mark enough.
      record ? '' : DONE_MARK_TTL,
    );
    const now = this.options.clock.now();
    for (const task of outcome.publish ?? []) {
      const target = this.queue(task.queue);
      args.push(task.queue, ...target.standardKeys, ...target.delayedKeys);
      pushTask(args, target, task, now);
    }
    return args;
  }

  private async expireOne(
    client: RedisClient,
    member: string,
    makeRecord: (id: string) => ResultRecord | undefined,
  ): Promise<{ id: string; answer: 'ended' | 'gone' | 'held' }> {
    const { keys } = this;
    const end = member.indexOf(':');
    const [queue, id] = [member.slice(0, end), member.slice(end + 1)];
    const record = makeRecord(id);
    const bull = this.queue(queue).removeArguments(id);
    const answer: unknown = await client.celeryExpire(
      EXPIRE_KEYS,
      ...bull.slice(0, BULL_KEYS.removeJob),
      keys.meta(id),
      keys.watch(id),
      keys.expires,
      keys.bull(queue, `${id}:lock`),
      ...bull.slice(BULL_KEYS.removeJob),
      id,
      record?.status ?? '',
      record?.payload ?? '',
      record?.ttl ?? '',
      this.resultDb,
      this.homeDb,
      member,
    );
    return { id, answer: answer === 1 ? 'ended' : answer === -1 ? 'held' : 'gone' };
  }

  private toFetched(queue: string, token: string, next: NextJob): Fetched {
    const [job, id, , dueAt] = next;
    const delivery = job && id ? { delivery: this.toDelivery({ id, queue, token }, job) } : {};
    return dueAt && dueAt > 0 ? { ...delivery, nextDueAt: Math.ceil(dueAt) } : delivery;
  }

  private toDelivery(lease: Lease, job: JobJson): Delivery {
    return {
      lease,
      name: job.name ?? '',
      data: job.data ?? '',
      publishedAt: job.timestamp || 0,
      redeliveries: job.stalledCounter ?? 0,
      postponements: job.attemptsMade ?? 0,
    };
  }
}

/** Whether `result_backend` is on the broker's own server. */
export function keepsResultsOf(options: BrokerOptions): boolean {
  return resultDatabase(options, parseRedisUrl(options)) !== undefined;
}

/** The database for results when they live on the broker's own server. */
function resultDatabase(options: BrokerOptions, broker: RedisEndpoint): number | undefined {
  if (options.resultBackendUrl === undefined) {
    return undefined;
  }
  const results = parseRedisUrl({
    url: options.resultBackendUrl,
    ssl: options.ssl,
    transportOptions: { ...options.transportOptions, ...options.resultTransportOptions },
  });
  return isSameServer(broker, results) ? (results.options.db ?? 0) : undefined;
}

function textOption(options: Readonly<Record<string, unknown>>, name: string): string {
  const value = options[name];
  return typeof value === 'string' ? value : '';
}
