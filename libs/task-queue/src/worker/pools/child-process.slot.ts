import { fork, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { ChildOrder, ChildReport } from './child.messages.js';
import type { Child } from './child.port.js';
import { CHILD_MARK } from './parent.port.js';

/** How the main file of the worker is started again. */
export interface ChildMain {
  /** Default: the script of this process. */
  readonly file?: string;
  /** Default: the command line of this process. */
  readonly args?: readonly string[];
  /** Default: the environment of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** The largest heap of a child, MiB. Default: Node's. */
  readonly heapLimit?: number;
}

/** A child that is a process; it writes to the worker's own stdout and stderr. */
export class ProcessChild implements Child {
  private readonly process: ChildProcess;

  constructor({
    file = process.argv[1] ?? '',
    args = process.argv.slice(2),
    env = process.env,
    heapLimit,
  }: ChildMain = {}) {
    this.process = fork(file, args, {
      env: { ...env, [CHILD_MARK]: '1' },
      // Two processes cannot listen for a debugger at one port.
      execArgv: [
        ...process.execArgv.filter((flag) => !flag.startsWith('--inspect')),
        ...(heapLimit === undefined ? [] : [`--max-old-space-size=${heapLimit}`]),
      ],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    // A process that cannot be started or told something ends, which is what counts.
    this.process.on('error', () => undefined);
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  send(order: ChildOrder): void {
    if (this.process.connected) {
      this.process.send(order, () => undefined);
    }
  }

  onReport(listener: (report: ChildReport) => void): void {
    this.process.on('message', (report) => listener(report as ChildReport));
  }

  onEnd(listener: (how: string) => void): void {
    let isOver = false;
    const end = (how: string): void => {
      if (!isOver) {
        isOver = true;
        listener(how);
      }
    };
    this.process.once('exit', (code, signal) => end(describeExit(code, signal)));
    this.process.once('error', (error) => {
      if (this.process.pid === undefined) {
        end(error.message);
      }
    });
  }

  release(): void {
    if (this.process.connected) {
      this.process.disconnect();
    }
  }

  kill(): void {
    this.process.kill('SIGKILL');
  }
}

/** As Celery has it: `signal 9 (SIGKILL)`, `exitcode 3`. */
function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `exitcode ${code}` : `signal ${constants.signals[signal]} (${signal})`;
}
