import { randomUUID } from 'node:crypto';
import type { BrokerOptions } from '../broker-options.interface.js';
import type {
  Broker,
  DeadLetter,
  Fetched,
  Lease,
  LeaseKeeper,
  Outcome,
  OutgoingTask,
  QueueCounts,
  ResultListener,
  ResultRecord,
  RevokeAnswer,
  Seen,
  TaskLocation,
  WorkSign,
} from '../broker.port.js';
import { ThreadLeaseKeeper } from '../leases/index.js';
import { BullQueue, BullQueues } from './bull-queue.js';
import { whenReady, type ClientPurpose } from './redis-clients.js';
import { RedisConnections } from './redis-connections.js';
import { RedisConsumer } from './redis-consumer.js';
import {
  describeEndpoint,
  isSameServer,
  parseRedisUrl,
  type RedisEndpoint,
} from './redis-endpoint.js';
import { RedisExpiry } from './redis-expiry.js';
import { RedisInspector } from './redis-inspector.js';
import { RedisKeys } from './redis-keys.js';
import { RedisNotifier } from './redis-notifier.js';
import { RedisPublisher } from './redis-publisher.js';
import { RedisResultStore } from './redis-result-store.js';
import { RedisRevoker } from './redis-revoker.js';
import { redisScripts } from './scripts/index.js';
import { RedisWorkSignal } from './redis-work-signal.js';

/** Runs in the lease thread. Naming its type makes the compiler carry the file along. */
export type RedisLeaseRenewer = typeof import('./redis-lease-renewer.mjs');

/** The Redis driver: BullMQ's layout and scripts, composed with ours. */
export class RedisBroker implements Broker {
  readonly description: string;
  readonly results: RedisResultStore;
  private readonly endpoint: RedisEndpoint;
  private readonly keys: RedisKeys;
  private readonly connections: RedisConnections;
  private readonly publisher: RedisPublisher;
  private readonly notifier: RedisNotifier;
  private readonly consumer: RedisConsumer;
  private readonly signal: RedisWorkSignal;
  private readonly expiry: RedisExpiry;
  private readonly inspector: RedisInspector;
  private readonly revoker: RedisRevoker;

  constructor(private readonly options: BrokerOptions) {
    const { clock, connectionTimeout, transportOptions, resultTransportOptions } = options;
    const endpoint = parseRedisUrl(options);
    const homeDb = endpoint.options.db ?? 0;
    const resultDb = resultDatabase(options, endpoint) ?? homeDb;
    const keys = new RedisKeys({
      globalPrefix: textOption(transportOptions, 'global_keyprefix'),
      resultPrefix: textOption(resultTransportOptions ?? transportOptions, 'global_keyprefix'),
      cluster: endpoint.kind === 'cluster',
    });
    const queueOptions = { prefix: keys.bullPrefix, lockDuration: options.leaseDuration };
    const connections = new RedisConnections({
      endpoint,
      connectionTimeout,
      scripts: redisScripts({
        layout: BullQueue.keyLayout(keys.bullPrefix),
        options: BullQueue.packedOptions(queueOptions),
        revoked: keys.revoked,
        flags: keys.flags,
        watchPrefix: keys.watch(''),
        donePrefix: keys.done(''),
        metaPrefix: keys.meta(''),
        expires: keys.expires,
        queues: keys.queues,
        resultDb,
        homeDb,
      }),
    });
    const queuesOn = (purpose: ClientPurpose): BullQueues =>
      new BullQueues(() => connections.get(purpose), queueOptions);
    const queues = queuesOn('producer');
    const run = connections.run.bind(connections);
    const processId = randomUUID();
    this.endpoint = endpoint;
    this.description = describeEndpoint(endpoint);
    this.keys = keys;
    this.connections = connections;
    this.results = new RedisResultStore({ keys, inHomeDb: resultDb === homeDb, run });
    this.publisher = new RedisPublisher({
      queuesKey: keys.queues,
      queue: (name) => queues.get(name),
      now: () => clock.now(),
      client: () => connections.ready('producer'),
    });
    this.notifier = new RedisNotifier({
      keys,
      processId,
      subscriber: () => connections.get('subscriber'),
      subscriberReady: (client) => whenReady(client, connectionTimeout),
      run,
    });
    this.consumer = new RedisConsumer({
      connections,
      queues: queuesOn('consumer'),
      keys,
      clock,
      processId,
    });
    this.signal = new RedisWorkSignal({
      keys,
      processId,
      blocking: () => connections.ready('blocking'),
      command: () => connections.get('consumer'),
    });
    this.expiry = new RedisExpiry({ connections, queues, keys, clock });
    this.inspector = new RedisInspector({ keys, run, queue: (name) => queues.get(name) });
    this.revoker = new RedisRevoker({
      connections,
      queues,
      keys,
      clock,
      inspector: this.inspector,
      results: this.results,
    });
  }

  // --- producers

  publish(tasks: readonly OutgoingTask[], retrying = false): Promise<void> {
    return this.connections.guard('Publishing', () => this.publisher.publish(tasks, retrying));
  }

  watch(id: string): Promise<Seen> {
    return this.connections.guard('Waiting for a result', () => this.notifier.watch(id));
  }

  unwatch(id: string): Promise<void> {
    return this.notifier.unwatch(id);
  }

  onResult(listener: ResultListener): void {
    this.notifier.onResult(listener);
  }

  async announce(id: string, payload: string): Promise<void> {
    await this.connections.run('Announcing a result', (client) =>
      client.celeryAnnounce(1, this.keys.watch(id), id, payload),
    );
  }

  revoke(id: string, record: ResultRecord | undefined, keepFor: number): Promise<RevokeAnswer> {
    return this.connections.guard('Revoking', () => this.revoker.revoke(id, record, keepFor));
  }

  broadcast(text: string): Promise<void> {
    return this.notifier.broadcast(text);
  }

  onBroadcast(listener: (text: string) => void): Promise<void> {
    return this.connections.guard('Listening', () => this.notifier.onBroadcast(listener));
  }

  locate(id: string): Promise<TaskLocation | undefined> {
    return this.inspector.locate(id);
  }

  // --- consumers

  async connect(): Promise<void> {
    await this.connections.guard('Connecting', async () => {
      const client = await this.connections.ready('consumer');
      await this.connections.ready('blocking');
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
    return this.connections.guard('Fetching', () => this.consumer.fetch(queue));
  }

  finish(lease: Lease, outcome: Outcome, fetchNext: boolean): Promise<Fetched> {
    return this.connections.guard('Recording an outcome', () =>
      this.consumer.finish(lease, outcome, fetchNext),
    );
  }

  retry(
    lease: Lease,
    task: OutgoingTask,
    outcome: Pick<Outcome, 'record' | 'announce'>,
  ): Promise<void> {
    return this.connections.guard('Putting a task back', () =>
      this.consumer.retry(lease, task, outcome),
    );
  }

  release(lease: Lease): Promise<void> {
    return this.connections.guard('Handing a task back', () => this.consumer.release(lease));
  }

  postpone(lease: Lease, delay: number): Promise<void> {
    return this.connections.guard('Postponing a task', () => this.consumer.postpone(lease, delay));
  }

  waitForWork(queues: readonly string[], timeout: number): Promise<WorkSign[]> {
    return this.connections.guard('Waiting for work', () => this.signal.wait(queues, timeout));
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
    return this.connections.guard('Reclaiming', () => this.consumer.reclaim(queue));
  }

  expire(record: (id: string) => ResultRecord | undefined): Promise<string[]> {
    return this.connections.guard('Ending expired tasks', async () => {
      await this.revoker.forgetOld();
      return this.expiry.expire(record);
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

  redrive(queue: string, id: string): Promise<boolean> {
    return this.inspector.removeDead(queue, id, true, this.options.clock.now());
  }

  discard(queue: string, id: string): Promise<boolean> {
    return this.inspector.removeDead(queue, id, false, this.options.clock.now());
  }

  purge(queue: string): Promise<number> {
    return this.inspector.purge(queue);
  }

  async ping(): Promise<void> {
    await this.connections.run('A ping', (client) => client.ping());
  }

  async close(): Promise<void> {
    this.signal.close();
    await this.connections.close();
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
