import { Logger, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TaskQueueError } from '../errors/task-queue.errors.js';
import type { TaskQueueSettings } from '../settings/index.js';
import { TASK_QUEUE_SETTINGS } from '../settings/settings.token.js';
import { findParentPort, runPoolChild } from './pools/index.js';
import { TaskWorker } from './task.worker.js';
import type { WorkerOptions } from './worker-options.js';
import { parseWorkerArguments } from './worker.cli.js';
import { createWorkerLogger } from './worker.logger.js';

/** Signals within this time count as one: a terminal and a parent process send the same. */
const SAME_SIGNAL_WINDOW = 1000;

export interface RunWorkerOptions extends WorkerOptions {
  /** The command line, without interpreter and script. Default: that of the process. */
  readonly argv?: readonly string[];
}

/**
 * Runs a worker in this process: boots the module as an application context, consumes until
 * SIGTERM or SIGINT, and ends the process. Celery's `celery worker`.
 *
 * The first signal is a warm shutdown: running tasks finish, and the exit code is 0. A second
 * one, more than a second later, is cold: tasks are handed back at once, and the exit code is 1.
 * The exit code is 2 when the worker cannot start.
 *
 * The pools `prefork` and `threads` start the main file again for each of their children: there
 * it boots the module and runs the tasks that the worker sends. So call it in the main file, and
 * keep what only the worker itself should do out of it.
 *
 * @param module - The root module; it imports `TaskQueueModule` and the modules with the tasks.
 * @param options - Win over the settings; the command line wins over both.
 */
export async function runWorker(module: Type, options: RunWorkerOptions = {}): Promise<void> {
  const port = findParentPort();
  if (port) {
    return runPoolChild(module, port);
  }
  const command = parseWorkerArguments(options.argv ?? process.argv.slice(2));
  if (command.kind === 'exit') {
    process.exitCode = command.code;
    return;
  }
  const { argv: _argv, ...given } = options;
  try {
    process.exitCode = await runUntilStopped(module, { ...given, ...command.options });
  } catch (error) {
    new Logger('runWorker').fatal(
      error instanceof TaskQueueError ? error.message : ((error as Error).stack ?? String(error)),
    );
    process.exitCode = 2;
  }
  // Tasks that were handed back may still hold timers and sockets.
  setTimeout(() => process.exit(), 100).unref();
  if (process.exitCode !== 0) {
    process.exit();
  }
}

async function runUntilStopped(module: Type, options: WorkerOptions): Promise<number> {
  const app = await NestFactory.createApplicationContext(module, {
    bufferLogs: true,
    abortOnError: false,
  });
  const settings = app.get<TaskQueueSettings>(TASK_QUEUE_SETTINGS, { strict: false });
  if (settings.workerHijackRootLogger) {
    app.useLogger(
      createWorkerLogger({
        level: options.logLevel ?? settings.workerLogLevel,
        format: settings.workerLogFormat,
        color: settings.workerLogColor,
      }),
    );
  }
  app.flushLogs();
  const worker = app.get(TaskWorker, { strict: false });
  const signals = new ShutdownSignals(worker);
  signals.listen();
  try {
    await worker.run(options);
    await app.close();
  } catch (error) {
    // The reason is the first error; what else goes wrong on the way out adds nothing.
    await app.close().catch(() => undefined);
    throw error;
  } finally {
    signals.ignore();
  }
  return signals.wasCold ? 1 : 0;
}

/** Turns signals into shutdowns. Installed once and kept: a gap would let a signal kill. */
class ShutdownSignals {
  wasCold = false;
  private firstAt = 0;
  private readonly handler = (): void => this.hear();

  constructor(private readonly worker: TaskWorker) {}

  listen(): void {
    process.on('SIGTERM', this.handler);
    process.on('SIGINT', this.handler);
  }

  ignore(): void {
    process.off('SIGTERM', this.handler);
    process.off('SIGINT', this.handler);
  }

  private hear(): void {
    const now = Date.now();
    if (this.firstAt === 0) {
      this.firstAt = now;
      process.stdout.write('\nworker: Warm shutdown (MainProcess)\n');
      process.stdout.write('worker: Hitting Ctrl+C again will terminate all running tasks!\n');
      this.worker.stop().catch(report);
    } else if (now - this.firstAt > SAME_SIGNAL_WINDOW && !this.wasCold) {
      this.wasCold = true;
      process.stdout.write('\nworker: Cold shutdown (MainProcess)\n');
      this.worker.terminate().catch(report);
    }
  }
}

function report(error: unknown): void {
  new Logger('runWorker').error(`The shutdown was not clean: ${String(error)}`);
}
