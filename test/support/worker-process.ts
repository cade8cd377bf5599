import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(
  new URL('../../dist/test/worker-app/test/worker-app/src/main.js', import.meta.url),
);

export interface WorkerProcessOptions {
  /** `CELERY_*` settings. */
  readonly env: Readonly<Record<string, string>>;
  /** The command line, for example `['-c', '4']`. */
  readonly args?: readonly string[];
}

/** `test/worker-app` as a process: started, watched, signalled and killed. */
export class WorkerProcess {
  /** Everything that it wrote so far. */
  output = '';
  /** The exit code; `null` after a kill. */
  readonly exited: Promise<number | null>;
  private readonly child: ChildProcess;
  private readonly listeners = new Set<() => void>();

  constructor({ env, args = [] }: WorkerProcessOptions) {
    const inherited = Object.fromEntries(
      Object.entries(process.env).filter(
        ([key]) => !key.startsWith('CELERY_') && !key.startsWith('JEST') && key !== 'NODE_OPTIONS',
      ),
    );
    this.child = spawn(process.execPath, [MAIN, ...args], {
      env: { ...inherited, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += String(chunk);
        this.listeners.forEach((listener) => listener());
      });
    }
    this.exited = once(this.child, 'exit').then(([code]) => code as number | null);
  }

  /** Starts a process and waits until it takes tasks. */
  static async start(options: WorkerProcessOptions): Promise<WorkerProcess> {
    const worker = new WorkerProcess(options);
    await worker.says(/ ready\./);
    return worker;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Waits until the output holds `pattern`. @throws Error with the output when it ends first. */
  async says(pattern: RegExp, timeout = 20_000): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const finish = (error?: Error): void => {
        clearTimeout(timer);
        this.listeners.delete(check);
        if (error) {
          reject(error);
        } else {
          resolve();
        }
      };
      const check = (): void => {
        if (pattern.test(this.output)) {
          finish();
        }
      };
      const fail = (what: string): void =>
        finish(new Error(`The worker ${what} before it said ${String(pattern)}:\n${this.output}`));
      const timer = setTimeout(() => fail(`took ${timeout} ms`), timeout);
      this.listeners.add(check);
      void this.exited.then(() => fail('ended'));
      check();
    });
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Kills it, as the system does when memory is short; resolves when it is gone. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** Warm shutdown, killed when that takes longer than ten seconds. */
  async stop(): Promise<number | null> {
    this.signal('SIGTERM');
    const deadline = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    const code = await this.exited;
    clearTimeout(deadline);
    return code;
  }
}

/** The file in which fixture tasks note their runs. */
export class RunNotes {
  private readonly folder = mkdtempSync(join(tmpdir(), 'celery-runs-'));
  readonly file = join(this.folder, 'runs');
  private readonly noted: Record<'begin' | 'end', string[]> = { begin: [], end: [] };
  private offset = 0;

  constructor() {
    writeFileSync(this.file, '');
  }

  /** The ids of the tasks noted with `event`, one per run. */
  ids(event: 'begin' | 'end'): string[] {
    this.readOn();
    return this.noted[event];
  }

  /** Reads what was appended since the last time. */
  private readOn(): void {
    const file = openSync(this.file, 'r');
    try {
      const fresh = Buffer.alloc(fstatSync(file).size - this.offset);
      readSync(file, fresh, 0, fresh.length, this.offset);
      const complete = fresh.subarray(0, fresh.lastIndexOf('\n') + 1);
      this.offset += complete.length;
      for (const line of complete.toString().split('\n')) {
        const [event, id] = line.split(' ');
        if ((event === 'begin' || event === 'end') && id) {
          this.noted[event].push(id);
        }
      }
    } finally {
      closeSync(file);
    }
  }

  /** Waits until `count` runs are noted. */
  async reach(event: 'begin' | 'end', count: number, timeout = 20_000): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (this.ids(event).length >= count) {
          finish();
        }
      };
      const finish = (error?: Error): void => {
        clearTimeout(timer);
        watcher.close();
        if (error) {
          reject(error);
        } else {
          resolve();
        }
      };
      const timer = setTimeout(
        () =>
          finish(new Error(`Only ${this.ids(event).length} of ${count} runs noted '${event}'.`)),
        timeout,
      );
      const watcher = watch(this.file, check);
      check();
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
