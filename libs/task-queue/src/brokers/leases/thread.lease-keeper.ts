import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { isError, OperationalError } from '../../errors/task-queue.errors.js';
import type { Lease, LeaseKeeper } from '../broker.port.js';
import type { BrokerLogger } from '../broker-options.interface.js';
import { HEADER_INTS, ID_BYTES, LeaseTable, SLOT_BYTES } from './lease-table.js';

/** The thread's module. Naming its type makes the compiler carry the file along. */
export type LeaseThread = typeof import('./lease-thread.mjs');

const THREAD_FILE = new URL('./lease-thread.mjs', import.meta.url);

/** How long `close` waits for the thread to end by itself, milliseconds. */
const CLOSE_DEADLINE = 2000;

/** Pause before a thread that stopped is started again, milliseconds. */
const RESTART_DELAY = 1000;

export interface ThreadLeaseKeeperOptions {
  /** URL of the module with `open(config)`, which renews leases in the store. */
  readonly renewerUrl: string;
  /** What `open` is given; must survive the structured clone. */
  readonly renewerConfig: unknown;
  /** How long a lease is renewed for, milliseconds. */
  readonly leaseDuration: number;
  /** Expected number of leases at a time; more are taken too. */
  readonly capacity: number;
  readonly logger: BrokerLogger;
}

interface Held {
  readonly lease: Lease;
  readonly table: LeaseTable;
  readonly slot: number;
}

type ThreadReport = { ready: true } | { lost: Lease } | { failed: string } | { recovered: true };

/** Renews leases from a worker thread, through a connection of its own. */
export class ThreadLeaseKeeper implements LeaseKeeper {
  private readonly held = new Map<string, Held>();
  private readonly tables: LeaseTable[] = [];
  private readonly queueIndexes = new Map<string, number>();
  private readonly lostListeners: ((lease: Lease) => void)[] = [];
  private thread: Worker;
  private exited!: Promise<void>;
  private state: 'starting' | 'renewing' | 'closed' = 'starting';

  private constructor(private readonly options: ThreadLeaseKeeperOptions) {
    this.thread = this.startThread();
    this.addTable();
  }

  /**
   * Starts the thread; resolves when it renews.
   *
   * @throws OperationalError when the thread cannot be started.
   */
  static async start(options: ThreadLeaseKeeperOptions): Promise<ThreadLeaseKeeper> {
    const keeper = new ThreadLeaseKeeper(options);
    await keeper.begin();
    return keeper;
  }

  /** A lease with an id longer than the port allows is not renewed, and the log says so. */
  add(lease: Lease): void {
    if (!LeaseTable.fits(lease)) {
      this.options.logger.warn(
        `The id of a task in queue '${lease.queue}' is longer than ${ID_BYTES} bytes: its lease ` +
          'is not renewed, so a run longer than broker_lease_duration is repeated. Publish it ' +
          'with a shorter id.',
      );
      return;
    }
    const queueIndex = this.queueIndex(lease.queue);
    for (const table of this.tables) {
      const slot = table.add(lease, queueIndex);
      if (slot !== undefined) {
        this.held.set(keyOf(lease), { lease, table, slot });
        return;
      }
    }
    this.addTable();
    this.add(lease);
  }

  remove(lease: Lease): void {
    const key = keyOf(lease);
    const held = this.held.get(key);
    if (held) {
      held.table.remove(held.slot);
      this.held.delete(key);
    }
  }

  onLost(listener: (lease: Lease) => void): void {
    this.lostListeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.state !== 'closed') {
      this.state = 'closed';
      this.thread.postMessage({ close: true });
    }
    const deadline = setTimeout(() => void this.thread.terminate(), CLOSE_DEADLINE);
    await this.exited;
    clearTimeout(deadline);
  }

  private async begin(): Promise<void> {
    try {
      const gone = this.exited.then(() => Promise.reject(new Error('it ended by itself')));
      await Promise.race([once(this.thread, 'message'), gone]);
      this.state = 'renewing';
    } catch (cause) {
      this.state = 'closed';
      const reason = isError(cause) ? cause.message : String(cause);
      throw new OperationalError(
        `The thread that renews leases could not be started (${reason}). Check the memory and the ` +
          'limits of the process, and that the package is installed as a whole.',
        { cause },
      );
    }
  }

  private startThread(): Worker {
    const { renewerUrl, renewerConfig, leaseDuration, logger } = this.options;
    const thread = new Worker(THREAD_FILE, {
      workerData: {
        renewerUrl,
        renewerConfig,
        durationMs: leaseDuration,
        layout: { slotBytes: SLOT_BYTES, headerInts: HEADER_INTS, idBytes: ID_BYTES },
      },
      // The flags of the main thread (a test runner's, an inspector's) are none of its business.
      execArgv: [],
    });
    thread.unref();
    thread.on('message', (report: ThreadReport) => {
      if ('lost' in report) {
        this.reportLost(report.lost);
      } else if ('failed' in report) {
        logger.warn(`Leases could not be renewed, trying again: ${report.failed}`);
      } else if ('recovered' in report) {
        logger.log('Leases are renewed again.');
      }
    });
    thread.on('error', (error) => {
      if (this.state === 'renewing') {
        logger.error(`The lease thread stopped and is started again: ${String(error)}`);
      }
    });
    this.exited = new Promise((resolve) => {
      thread.once('exit', () => {
        resolve();
        if (this.state === 'renewing') {
          setTimeout(() => this.restartThread(), RESTART_DELAY).unref();
        }
      });
    });
    return thread;
  }

  private restartThread(): void {
    if (this.state === 'renewing') {
      this.thread = this.startThread();
      this.tables.forEach((table) => this.thread.postMessage({ table: table.shared }));
      this.queueIndexes.forEach((_, queue) => this.thread.postMessage({ queue }));
    }
  }

  private reportLost(lease: Lease): void {
    // A lease that was finished while the renewal was under way is not lost.
    if (this.held.has(keyOf(lease))) {
      this.remove(lease);
      this.lostListeners.forEach((listener) => listener(lease));
    }
  }

  private addTable(): void {
    const table = new LeaseTable(Math.max(16, this.options.capacity));
    this.tables.push(table);
    this.thread.postMessage({ table: table.shared });
  }

  private queueIndex(queue: string): number {
    let index = this.queueIndexes.get(queue);
    if (index === undefined) {
      index = this.queueIndexes.size;
      this.queueIndexes.set(queue, index);
      this.thread.postMessage({ queue });
    }
    return index;
  }
}

function keyOf(lease: Lease): string {
  return `${lease.token} ${lease.id}`;
}
