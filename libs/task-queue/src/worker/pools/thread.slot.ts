import { Worker } from 'node:worker_threads';
import { isError } from '../../errors/task-queue.errors.js';
import type { ChildOrder, ChildReport } from './child.messages.js';
import type { Child } from './child.port.js';
import type { ChildMain } from './child-process.slot.js';
import { CHILD_MARK } from './parent.port.js';

/** A child that is a thread; what it writes goes to the worker's stdout and stderr. */
export class ThreadChild implements Child {
  readonly pid: number;
  private readonly thread: Worker;
  private fault: unknown;

  constructor({
    file = process.argv[1] ?? '',
    args = process.argv.slice(2),
    env = process.env,
    heapLimit,
  }: ChildMain = {}) {
    this.thread = new Worker(file, {
      argv: [...args],
      env,
      workerData: { [CHILD_MARK]: true },
      ...(heapLimit === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: heapLimit } }),
    });
    this.pid = this.thread.threadId;
    this.thread.on('error', (error: unknown) => (this.fault = error));
  }

  send(order: ChildOrder): void {
    this.thread.postMessage(order);
  }

  onReport(listener: (report: ChildReport) => void): void {
    this.thread.on('message', (report: ChildReport) => listener(report));
  }

  onEnd(listener: (how: string) => void): void {
    this.thread.once('exit', (code) =>
      listener(this.fault === undefined ? `exitcode ${code}` : describeFault(this.fault)),
    );
  }

  release(): void {
    this.thread.postMessage(null);
  }

  kill(): void {
    void this.thread.terminate();
  }
}

function describeFault(fault: unknown): string {
  return isError(fault) ? `${fault.name}: ${fault.message}` : String(fault);
}
