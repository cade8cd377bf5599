import { getHeapStatistics } from 'node:v8';
import {
  isMainThread,
  parentPort,
  Worker,
  workerData,
  type MessagePort,
} from 'node:worker_threads';
import type { ChildOrder, ChildReport } from './child.messages.js';

/** Set in the environment of a child process, and a field in the data of a child thread. */
export const CHILD_MARK = 'NESTJS_CELERY_POOL_CHILD';

/** The thread's module. Naming its type makes the compiler carry the file along. */
export type OrphanThread = typeof import('./orphan-thread.mjs');

const ORPHAN_THREAD_FILE = new URL('./orphan-thread.mjs', import.meta.url);

/** A child's end of the channel to its pool. */
export interface ParentPort {
  send(report: ChildReport): void;
  onOrder(listener: (order: ChildOrder) => void): void;
  /** Called when the pool has closed the channel, or is gone. */
  onClose(listener: () => void): void;
  /** Memory that this child uses, KiB. */
  memory(): number;
  /** Ends this child, and nothing else. */
  exit(code: number): void;
}

/** The channel to the pool, when this process or thread is a pool's child. */
export function findParentPort(): ParentPort | undefined {
  if (!isMainThread) {
    const isChild = (workerData as Record<string, unknown> | null)?.[CHILD_MARK] === true;
    return isChild && parentPort ? new ThreadPort(parentPort) : undefined;
  }
  if (process.env[CHILD_MARK] === undefined || !process.send) {
    return undefined;
  }
  // Processes that a task starts are no children of the pool.
  delete process.env[CHILD_MARK];
  return new ProcessPort();
}

class ProcessPort implements ParentPort {
  constructor() {
    // A terminal and a service manager signal every process of the group; when and how a child
    // ends is the worker's business.
    process.on('SIGINT', () => undefined);
    process.on('SIGTERM', () => undefined);
    // A task that blocks the event loop does not hear that the channel is closed.
    const thread = new Worker(ORPHAN_THREAD_FILE, {
      workerData: { parent: process.ppid },
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
    });
    thread.on('error', () => undefined);
    thread.unref();
  }

  send(report: ChildReport): void {
    // A channel that is closed means that nobody wants to hear it.
    process.send?.(report, undefined, undefined, () => undefined);
  }

  onOrder(listener: (order: ChildOrder) => void): void {
    process.on('message', (order) => listener(order as ChildOrder));
  }

  onClose(listener: () => void): void {
    if (process.connected) {
      process.once('disconnect', listener);
    } else {
      listener();
    }
  }

  memory(): number {
    return Math.round(process.memoryUsage.rss() / 1024);
  }

  exit(code: number): void {
    process.exit(code);
  }
}

class ThreadPort implements ParentPort {
  constructor(private readonly port: MessagePort) {}

  send(report: ChildReport): void {
    this.port.postMessage(report);
  }

  onOrder(listener: (order: ChildOrder) => void): void {
    this.port.on('message', (order: ChildOrder | null) => {
      if (order) {
        listener(order);
      }
    });
  }

  onClose(listener: () => void): void {
    this.port.on('message', (order: ChildOrder | null) => {
      // A port of a thread cannot be closed from the other side: nothing means the end.
      if (order === null) {
        listener();
      }
    });
  }

  memory(): number {
    // Of this thread alone: the resident set is that of all threads together.
    const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
    return Math.round((heap + external) / 1024);
  }

  exit(code: number): void {
    // In a thread it ends the thread.
    process.exit(code);
  }
}
