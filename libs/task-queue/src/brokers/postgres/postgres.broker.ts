import { randomUUID } from 'node:crypto';

import { LeaseLostError } from '../../errors/task-queue.errors.js';
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
  ResultStore,
  RevokeAnswer,
  TaskLocation,
  WorkSign,
} from '../broker.port.js';
import { ThreadLeaseKeeper } from '../leases/index.js';
import { isLeaseLost } from './postgres-error.mapper.js';
import { PostgresBroadcaster } from './postgres.broadcaster.js';
import { PostgresControl } from './postgres.control.js';
import { PostgresInspector } from './postgres.inspector.js';
import { PostgresListener } from './postgres.listener.js';
import { PostgresPublisher } from './postgres.publisher.js';
import { PostgresResultStore, wholeMilliseconds } from './postgres-result.store.js';
import { PostgresResultWatcher } from './postgres-result.watcher.js';
import { PostgresSession } from './postgres.session.js';
import { PostgresUpkeep } from './postgres.upkeep.js';
import { PostgresWorkWaiter } from './postgres-work.waiter.js';
import { readPostgresEndpoint } from './postgres.endpoint.js';
import { toLocalTime } from './server-time.util.js';
import { decodeTaskData } from './task-data.codec.js';

/** Runs in the lease thread. Naming its type makes the compiler carry the file along. */
export type PostgresLeaseRenewer = typeof import('./postgres-lease-renewer.mjs');

const RENEWER_URL = new URL('./postgres-lease-renewer.mjs', import.meta.url).href;

/** BullMQ notifies here of new work, with the name of the queue. */
const WORK_CHANNEL = 'bullmq_jobs';

/** Leases that are remembered because their `finish` or `retry` broke; the oldest are forgotten. */
const MOST_UNSURE = 1000;

/** How long `close` waits for its last statement, milliseconds. */
const LAST_STATEMENT = 500;

/** What the functions `celery_fetch` and `celery_finish_fetch` answer; bigint comes as text. */
interface FetchRow {
  readonly o_id: string | null;
  readonly o_name: string;
  readonly o_data: string;
  readonly o_added: string;
  readonly o_stalled: number;
  readonly o_attempts: number;
  readonly o_due: string | null;
  readonly o_now: string;
  readonly o_revoked: boolean;
}

/**
 * The broker of `postgresql://`: BullMQ's tables and functions, with tables of our own beside
 * them for results. Everything that has to happen together is one statement, and so one
 * transaction and one round trip.
 *
 * Transport options: see `readPostgresEndpoint`.
 */
export class PostgresBroker implements Broker {
  readonly description: string;
  readonly results: ResultStore;
  readonly #session: PostgresSession;
  readonly #notices: PostgresListener;
  readonly #watcher: PostgresResultWatcher;
  readonly #publisher: PostgresPublisher;
  readonly #waiter: PostgresWorkWaiter;
  readonly #broadcaster: PostgresBroadcaster;
  readonly #control: PostgresControl;
  readonly #inspector: PostgresInspector;
  readonly #upkeep: PostgresUpkeep;
  readonly #keepers = new Set<LeaseKeeper>();
  /** Leases whose `finish` or `retry` broke on the way: it may have been stored. */
  readonly #unsure = new Set<string>();
  /** How long a call may take, milliseconds: for who must not wait long, and for workers. */
  readonly #producerBudget: number;
  readonly #workerBudget: number;
  readonly #tokenPrefix = randomUUID();
  #tokens = 0;

  /** @throws ImproperlyConfigured when the URL or an option cannot be read. */
  constructor(private readonly options: BrokerOptions) {
    const endpoint = readPostgresEndpoint(options);
    const { clock, logger } = options;
    this.description = endpoint.description;
    this.#producerBudget = options.connectionTimeout;
    this.#workerBudget = Math.max(options.connectionTimeout, endpoint.statementTimeout);
    const session = new PostgresSession(endpoint, logger);
    this.#session = session;
    this.#notices = new PostgresListener(
      session,
      logger,
      () => this.#waiter.doubt(),
      () => void this.#watcher.restore(),
    );
    this.#watcher = new PostgresResultWatcher(session, this.#notices, logger, this.#producerBudget);
    this.#publisher = new PostgresPublisher(session, clock, this.#producerBudget);
    this.#waiter = new PostgresWorkWaiter({
      clock,
      listen: () => this.#listenForWork(),
      look: (queues) => session.run('SELECT * FROM celery_work($1)', [queues], this.#workerBudget),
    });
    this.#broadcaster = new PostgresBroadcaster(
      session,
      this.#notices,
      logger,
      this.#producerBudget,
    );
    this.#control = new PostgresControl(session, this.#producerBudget);
    this.#inspector = new PostgresInspector(session, this.#producerBudget);
    this.#upkeep = new PostgresUpkeep(session, this.#workerBudget);
    this.results = new PostgresResultStore(session, this.#producerBudget);
  }

  publish(tasks: readonly OutgoingTask[], retrying = false): Promise<void> {
    return this.#publisher.publish(tasks, retrying);
  }

  watch(id: string): Promise<void> {
    return this.#watcher.watch(id);
  }

  unwatch(id: string): Promise<void> {
    return this.#watcher.unwatch(id);
  }

  onResult(listener: ResultListener): void {
    this.#watcher.onResult(listener);
  }

  async announce(id: string, payload: string): Promise<void> {
    await this.#session.run('SELECT celery_tell($1, $2)', [id, payload], this.#producerBudget);
  }

  revoke(id: string, record: ResultRecord | undefined, keepFor: number): Promise<RevokeAnswer> {
    return this.#control.revoke(id, record, keepFor);
  }

  broadcast(text: string): Promise<void> {
    return this.#broadcaster.broadcast(text);
  }

  onBroadcast(listener: (text: string) => void): Promise<void> {
    return this.#broadcaster.onBroadcast(listener);
  }

  locate(id: string): Promise<TaskLocation | undefined> {
    return this.#inspector.locate(id);
  }

  async connect(): Promise<void> {
    await this.#run('SELECT 1', []);
    await this.#listenForWork();
  }

  async fetch(queue: string): Promise<Fetched> {
    this.#waiter.forget(queue);
    const token = this.#newToken();
    const asked = this.options.clock.now();
    const rows = await this.#run<FetchRow>('SELECT * FROM celery_fetch($1, $2, $3)', [
      queue,
      token,
      this.options.leaseDuration,
    ]);
    return this.#fetched(rows, queue, token, asked);
  }

  async finish(lease: Lease, outcome: Outcome, fetchNext: boolean): Promise<Fetched> {
    const { record, announce, publish, deadLetter } = outcome;
    const tasks = publish?.length ? this.#publisher.encode(publish) : undefined;
    const values = [
      lease.queue,
      lease.id,
      lease.token,
      deadLetter?.replaceAll('\0', '\u2400') ?? null,
      record?.status ?? null,
      record?.payload ?? null,
      record ? wholeMilliseconds(record.ttl) : null,
      announce ?? null,
      tasks?.batches ?? null,
      tasks?.newQueues ?? [],
    ];
    const places = values.map((_, index) => `$${index + 1}`).join(', ');
    let fetched: Fetched = {};
    try {
      if (fetchNext) {
        this.#waiter.forget(lease.queue);
        const token = this.#newToken();
        const asked = this.options.clock.now();
        const rows = await this.#run<FetchRow>(
          `SELECT * FROM celery_finish_fetch(${places}, $11, $12)`,
          [...values, token, this.options.leaseDuration],
        );
        fetched = this.#fetched(rows, lease.queue, token, asked);
      } else {
        await this.#run(`SELECT celery_finish(${places})`, values);
      }
      this.#unsure.delete(lease.token);
    } catch (error) {
      if (await this.#wasFinished(lease, error)) {
        fetched = fetchNext ? await this.fetch(lease.queue) : {};
      } else {
        throw leaseLostOr(error, lease);
      }
    }
    if (tasks) {
      this.#publisher.learn(tasks);
    }
    return fetched;
  }

  async retry(
    lease: Lease,
    task: OutgoingTask,
    { record, announce }: Pick<Outcome, 'record' | 'announce'>,
  ): Promise<void> {
    const tasks = this.#publisher.encode([task]);
    try {
      await this.#run('SELECT celery_retry($1, $2, $3, $4, $5, $6, $7, $8, $9)', [
        lease.queue,
        lease.id,
        lease.token,
        tasks.batches,
        tasks.newQueues,
        record?.status ?? null,
        record?.payload ?? null,
        record ? wholeMilliseconds(record.ttl) : null,
        announce ?? null,
      ]);
      this.#unsure.delete(lease.token);
    } catch (error) {
      if (!(await this.#wasFinished(lease, error))) {
        throw leaseLostOr(error, lease);
      }
    }
    this.#publisher.learn(tasks);
  }

  release(lease: Lease): Promise<void> {
    return this.#giveBack('SELECT celery_release($1, $2, $3)', lease);
  }

  postpone(lease: Lease, delay: number): Promise<void> {
    return this.#giveBack('SELECT celery_postpone($1, $2, $3, $4)', lease, [
      Math.max(0, Math.ceil(delay)),
    ]);
  }

  waitForWork(queues: readonly string[], timeout: number): Promise<WorkSign[]> {
    return this.#waiter.wait(queues, timeout);
  }

  wakeUp(): void {
    this.#waiter.wakeUp();
  }

  async keepLeases(capacity: number): Promise<LeaseKeeper> {
    const { client, schema } = this.#session.endpoint;
    const keeper = await ThreadLeaseKeeper.start({
      renewerUrl: RENEWER_URL,
      renewerConfig: { client, schema },
      leaseDuration: this.options.leaseDuration,
      capacity,
      logger: this.options.logger,
    });
    this.#keepers.add(keeper);
    return keeper;
  }

  async reclaim(queue: string): Promise<string[]> {
    const rows = await this.#run<{ id: string }>('SELECT id FROM celery_reclaim($1) AS t(id)', [
      queue,
    ]);
    return rows.map(({ id }) => id);
  }

  expire(record: (id: string) => ResultRecord | undefined): Promise<string[]> {
    return this.#upkeep.expire(record);
  }

  queues(): Promise<string[]> {
    return this.#inspector.queues();
  }

  counts(queue: string): Promise<QueueCounts> {
    return this.#inspector.counts(queue);
  }

  deadLetters(queue: string, limit?: number): Promise<DeadLetter[]> {
    return this.#inspector.deadLetters(queue, limit);
  }

  redrive(queue: string, id: string): Promise<boolean> {
    return this.#control.redrive(queue, id);
  }

  discard(queue: string, id: string): Promise<boolean> {
    return this.#control.discard(queue, id);
  }

  purge(queue: string): Promise<number> {
    return this.#upkeep.purge(queue);
  }

  ping(): Promise<void> {
    return this.#session.probe('SELECT 1', this.#producerBudget);
  }

  async close(): Promise<void> {
    this.#waiter.wakeUp();
    await Promise.all([...this.#keepers].map((keeper) => keeper.close()));
    await this.#watcher.close(LAST_STATEMENT);
    this.#broadcaster.close();
    this.#notices.close();
    await this.#session.close();
  }

  #run<R>(text: string, values: readonly unknown[]): Promise<R[]> {
    return this.#session.run<R>(text, values, this.#workerBudget);
  }

  #listenForWork(): Promise<void> {
    return this.#notices.listen(
      WORK_CHANNEL,
      (queue) => this.#waiter.notice(queue),
      this.#workerBudget,
    );
  }

  async #giveBack(text: string, lease: Lease, more: readonly unknown[] = []): Promise<void> {
    try {
      await this.#run(text, [lease.queue, lease.id, lease.token, ...more]);
    } catch (error) {
      throw leaseLostOr(error, lease);
    }
  }

  /**
   * Whether a `finish` or `retry` that is refused now had been stored the first time, when the connection
   * broke before the answer came.
   */
  async #wasFinished(lease: Lease, error: unknown): Promise<boolean> {
    if (!isLeaseLost(error)) {
      this.#unsure.add(lease.token);
      if (this.#unsure.size > MOST_UNSURE) {
        this.#unsure.delete(this.#unsure.values().next().value!);
      }
      return false;
    }
    if (!this.#unsure.delete(lease.token)) {
      return false;
    }
    const rows = await this.#run('SELECT 1 FROM celery_result WHERE id = $1 AND token = $2', [
      lease.id,
      lease.token,
    ]);
    return rows.length > 0;
  }

  #newToken(): string {
    this.#tokens += 1;
    return `${this.#tokenPrefix}-${this.#tokens.toString(36)}`;
  }

  #fetched(rows: readonly FetchRow[], queue: string, token: string, asked: number): Fetched {
    const row = rows[0]!;
    if (row.o_id !== null) {
      return {
        delivery: {
          lease: { id: row.o_id, queue, token },
          name: row.o_name,
          data: decodeTaskData(row.o_data),
          publishedAt: Number(row.o_added),
          redeliveries: row.o_stalled,
          postponements: row.o_attempts,
          revoked: row.o_revoked,
        },
      };
    }
    if (row.o_due === null) {
      return {};
    }
    const answered = this.options.clock.now();
    return { nextDueAt: toLocalTime(Number(row.o_due), Number(row.o_now), asked, answered) };
  }
}

function leaseLostOr(error: unknown, lease: Lease): unknown {
  return isLeaseLost(error) ? new LeaseLostError(lease.id) : error;
}
