import { Logger, type INestApplicationContext, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { isError, OperationalError } from '../../errors/task-queue.errors.js';
import { encodeJson } from '../../messages/index.js';
import {
  createTaskContext,
  TaskRegistry,
  TaskRequest,
  type TaskContext,
  type TaskContextControl,
  type TaskServices,
} from '../../tasks/index.js';
import { ChildLogger } from './child.logger.js';
import type { ChildOrder } from './child.messages.js';
import { decodeJob } from './job.codec.js';
import type { ParentPort } from './parent.port.js';
import { decodeThrown, encodeThrown } from './thrown.codec.js';

/**
 * The life of a pool's child: boots the module as an application context, runs the tasks that it
 * is sent, one at a time, and ends when the pool closes the channel. Resolves when it has ended.
 */
export async function runPoolChild(module: Type, port: ParentPort): Promise<void> {
  const closed = new Promise<void>((resolve) => port.onClose(resolve));
  const logger = new ChildLogger(port);
  let app: INestApplicationContext;
  try {
    app = await NestFactory.createApplicationContext(module, { logger, abortOnError: false });
  } catch (error) {
    port.send({ type: 'unfit', reason: reasonOf(error) });
    await closed;
    return port.exit(1);
  }
  logger.booted();
  const loop = new ChildLoop(app.get(TaskRegistry, { strict: false }), port);
  port.onOrder((order) => loop.hear(order));
  port.send({ type: 'ready' });
  await closed;
  await app.close().catch((error: unknown) => {
    new Logger('PoolChild').error(`A pool child did not end cleanly: ${reasonOf(error)}`);
  });
  port.exit(0);
}

interface StoringCall {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Runs what it is told to, and reports. */
export class ChildLoop implements TaskServices {
  private running: { readonly run: number; readonly control: TaskContextControl } | undefined;
  private calls = 0;
  private readonly storing = new Map<number, StoringCall>();

  constructor(
    private readonly registry: Pick<TaskRegistry, 'errorClasses' | 'get'>,
    private readonly port: Pick<ParentPort, 'memory' | 'send'>,
  ) {}

  hear(order: ChildOrder): void {
    switch (order.type) {
      case 'run':
        void this.run(order.run, order.job);
        break;
      case 'abort':
        if (this.running?.run === order.run) {
          this.running.control.abort(decodeThrown(order.reason, this.registry.errorClasses()));
        }
        break;
      case 'stored':
        this.stored(order);
        break;
    }
  }

  /** Asks the worker to store a state: the connection and the rules are its own. */
  updateState(
    context: TaskContext,
    state: string,
    meta: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const { running } = this;
    if (running?.control.context !== context) {
      // The task has ended, and its state is what it ended with.
      return Promise.resolve();
    }
    this.calls += 1;
    const call = this.calls;
    return new Promise((resolve, reject) => {
      const text = encodeJson(meta, 'meta');
      this.storing.set(call, { resolve, reject });
      this.port.send({ type: 'state', run: running.run, call, state, meta: text });
    });
  }

  private async run(run: number, job: string): Promise<void> {
    try {
      const request = new TaskRequest(decodeJob(job));
      const task = this.registry.get(request.task);
      const control = createTaskContext({ request, services: this });
      this.running = { run, control };
      const value = await task.invoke(control.context, request.args, request.kwargs);
      const text = value === undefined ? {} : { value: encodeJson(value, 'result') };
      this.end();
      this.port.send({ type: 'done', run, ...text, memory: this.port.memory() });
    } catch (error) {
      this.end();
      const memory = this.port.memory();
      this.port.send({ type: 'failed', run, error: encodeThrown(error), memory });
    }
  }

  private end(): void {
    this.running = undefined;
  }

  private stored({ call, error }: Extract<ChildOrder, { type: 'stored' }>): void {
    const waiting = this.storing.get(call);
    this.storing.delete(call);
    if (error) {
      waiting?.reject(decodeThrown(error, new Map()));
    } else {
      waiting?.resolve();
    }
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof OperationalError) {
    return error.message;
  }
  return isError(error) ? (error.stack ?? error.message) : String(error);
}
