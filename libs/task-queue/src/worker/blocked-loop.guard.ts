import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Lease } from '../brokers/broker.port.js';
import type { TaskRequest } from '../tasks/index.js';
import { BlockedLoopTable, GUARD_HEADER_BYTES, GUARD_SLOT_BYTES } from './blocked-loop.table.js';

/** The thread's module. Naming its type makes the compiler carry the file along. */
export type BlockedLoopThread = typeof import('./blocked-loop-thread.mjs');

const THREAD_FILE = new URL('./blocked-loop-thread.mjs', import.meta.url);

/** How many runs with a hard limit are watched at a time; further ones are not. */
const CAPACITY = 1024;

/** A task that was cut off with its process, for the worker that starts next. */
export interface OverdueRun {
  /** Renewed until the process was killed: the next worker can finish the task with it. */
  readonly lease: Lease;
  /** The name of the task. */
  readonly task: string;
  /** The hard limit, seconds. */
  readonly limit: number;
}

/**
 * Ends the process when a task has blocked its event loop beyond its hard time limit: nothing
 * inside the process can stop such a task. A thread kills the process (SIGKILL) half a second
 * after the limit, unless the main thread has ended the run itself until then. Before, it notes
 * the overdue runs in a file; `takeOverdueRuns` gives them to the worker that starts next, which
 * is to record them as FAILURE. The other tasks of the process run again as after any lost worker.
 */
export class BlockedLoopGuard {
  private readonly table = new BlockedLoopTable(CAPACITY);
  private readonly thread: Worker;

  private constructor(file: string) {
    this.thread = new Worker(THREAD_FILE, {
      workerData: {
        slots: this.table.slots,
        file,
        layout: { slotBytes: GUARD_SLOT_BYTES, headerBytes: GUARD_HEADER_BYTES },
      },
      // The flags of the main thread (a test runner's, an inspector's) are none of its business.
      execArgv: [],
    });
    this.thread.unref();
  }

  /** Starts the thread; resolves when it watches. @param file - Of `overdueFile`. */
  static async start(file: string): Promise<BlockedLoopGuard> {
    const guard = new BlockedLoopGuard(file);
    await once(guard.thread, 'message');
    return guard;
  }

  /** Starts the thread and does not wait for it: it sees the runs that began meanwhile. */
  static open(file: string): BlockedLoopGuard {
    const guard = new BlockedLoopGuard(file);
    // Tasks run all the same, held to their limits as far as the main thread can.
    guard.thread.on('error', () => undefined);
    return guard;
  }

  /** Watches a run that begins now. @param limit - Its hard limit, seconds. */
  watch(request: TaskRequest, limit: number): { clear(): void } {
    const { deliveryInfo, properties, id, task } = request;
    const lease: Lease = {
      id,
      queue: deliveryInfo.routingKey,
      token: properties.deliveryTag ?? '',
    };
    const note: OverdueRun = { lease, task, limit };
    const slot = this.table.add(JSON.stringify(note), Date.now() + limit * 1000);
    let isArmed = slot !== undefined;
    return {
      clear: () => {
        if (isArmed) {
          isArmed = false;
          this.table.remove(slot!);
        }
      },
    };
  }

  async close(): Promise<void> {
    await this.thread.terminate();
  }
}

/**
 * Where the guard of a node leaves its notes: the same file after a restart on this machine.
 *
 * @param node - The node's name and the broker's description: what tells workers apart.
 */
export function overdueFile(...node: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(node)).digest('hex').slice(0, 16);
  return join(tmpdir(), `nestjs-celery-${hash}.overdue`);
}

/** The runs noted in a file, each given to one caller only. An unreadable note is left out. */
export function takeOverdueRuns(file: string): OverdueRun[] {
  const taken = `${file}.${process.pid}`;
  let text: string;
  try {
    // Of two workers that start at a time, one gets the file.
    renameSync(file, taken);
    text = readFileSync(taken, 'utf8');
    rmSync(taken, { force: true });
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => readRun(line) ?? []);
}

function readRun(line: string): OverdueRun | undefined {
  try {
    const run = JSON.parse(line) as Partial<OverdueRun> | null;
    const texts = [run?.lease?.id, run?.lease?.queue, run?.lease?.token, run?.task];
    return texts.every((text) => typeof text === 'string') && typeof run?.limit === 'number'
      ? (run as OverdueRun)
      : undefined;
  } catch {
    return undefined;
  }
}
