import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  AfterReturn,
  BeforeStart,
  Ignore,
  OnAfterTaskPublish,
  OnBeforeTaskPublish,
  OnFailure,
  OnRetry,
  OnSuccess,
  OnTaskFailure,
  OnTaskPostrun,
  OnTaskPrerun,
  OnTaskReceived,
  OnTaskRejected,
  OnTaskRetry,
  OnTaskRevoked,
  OnTaskSuccess,
  OnTaskUnknown,
  OnWorkerInit,
  OnWorkerReady,
  OnWorkerShutdown,
  OnWorkerShuttingDown,
  Reject,
  SharedTask,
  TaskClient,
  TaskContext,
  TaskNamespace,
  TaskQueueModule,
  TaskSignals,
  TaskWorker,
  type BeforeTaskPublishEvent,
  type TaskPostrunEvent,
} from '../index.js';

@Injectable()
class Log {
  readonly entries: string[] = [];
}

@TaskNamespace('demo')
@Injectable()
class Demo {
  constructor(private readonly log: Log) {}

  @SharedTask({ bind: true })
  headers(self: TaskContext): unknown {
    return self.headers;
  }

  @SharedTask()
  fail(): void {
    throw new Error('boom');
  }

  @SharedTask({ bind: true })
  again(self: TaskContext): void {
    if (self.request.retries === 0) {
      self.retry({ countdown: 0, exc: new Error('once') });
    }
  }

  @SharedTask()
  ignore(): void {
    throw new Ignore();
  }

  @SharedTask()
  reject(): void {
    throw new Reject('no');
  }

  @SharedTask()
  unready(): void {
    this.log.entries.push('never');
  }

  @BeforeStart('unready')
  check(): void {
    throw new Error('not now');
  }

  @BeforeStart()
  begin(): void {
    this.log.entries.push('beforeStart');
  }

  @OnSuccess()
  async succeeded(): Promise<void> {
    await Promise.resolve();
    this.log.entries.push('onSuccess');
    throw new Error('a hook');
  }

  @OnFailure()
  failed(_self: TaskContext, error: Error): void {
    this.log.entries.push(`onFailure ${error.message}`);
  }

  @OnRetry()
  retried(_self: TaskContext, error: Error): void {
    this.log.entries.push(`onRetry ${error.message}`);
  }

  @AfterReturn()
  returned(): void {
    this.log.entries.push('afterReturn');
  }
}

@Injectable()
class Audit {
  constructor(private readonly log: Log) {}

  @OnBeforeTaskPublish()
  async stamp({ headers }: BeforeTaskPublishEvent): Promise<void> {
    await Promise.resolve();
    headers['tenant'] = 7;
  }

  @OnAfterTaskPublish()
  @OnTaskReceived()
  @OnTaskPrerun()
  @OnTaskSuccess()
  @OnTaskFailure()
  @OnTaskRetry()
  @OnTaskRevoked()
  @OnTaskUnknown()
  @OnTaskRejected()
  @OnWorkerInit()
  @OnWorkerReady()
  @OnWorkerShuttingDown()
  @OnWorkerShutdown()
  note({ signal }: { readonly signal: string }): void {
    this.log.entries.push(signal);
    throw new Error('a listener');
  }

  @OnTaskPostrun()
  over({ state }: TaskPostrunEvent): void {
    this.log.entries.push(`taskPostrun ${state}`);
  }
}

const SILENT = { log: () => {}, warn: () => {}, error: () => {}, debug: () => {} };

let app: TestingModule;
let entries: string[];
let tasks: TaskClient;
let worker: TaskWorker;

/** Resolves with what was noted from the run on, when this signal has come. */
function until(signal: 'taskPostrun' | 'taskRevoked' | 'taskUnknown', state?: string) {
  return new Promise<string[]>((resolve) => {
    const disconnect = app.get(TaskSignals, { strict: false }).connect(signal, (event) => {
      if (state === undefined || (event as TaskPostrunEvent).state === state) {
        disconnect();
        // When it is sent depends on how fast the worker is.
        resolve(entries.splice(0).filter((entry) => entry !== 'afterTaskPublish'));
      }
    });
  });
}

beforeEach(async () => {
  app = await Test.createTestingModule({
    imports: [TaskQueueModule.forRoot({ brokerUrl: 'memory://', taskUnknownGrace: 0 })],
    providers: [Log, Demo, Audit],
  })
    .setLogger(SILENT)
    .compile();
  await app.init();
  ({ entries } = app.get(Log));
  tasks = app.get(TaskClient, { strict: false });
  worker = app.get(TaskWorker, { strict: false });
  await worker.start();
});

afterEach(() => app.close());

describe('a worker and a client', () => {
  it('tell of the worker', async () => {
    expect(entries).toEqual(['workerInit', 'workerReady']);
    await worker.stop();
    expect(entries.slice(2)).toEqual(['workerShuttingDown', 'workerShutdown']);
  });

  it.each([
    ['headers', 'SUCCESS', ['onSuccess', 'taskSuccess', 'afterReturn']],
    ['fail', 'FAILURE', ['onFailure boom', 'taskFailure', 'afterReturn']],
    ['again', 'RETRY', ['onRetry once', 'taskRetry']],
    ['ignore', 'IGNORED', []],
    ['reject', 'REJECTED', ['taskRejected']],
  ])('tell of %s in the order of Celery', async (name, state, steps) => {
    const told = until('taskPostrun', state);
    entries.splice(0);
    await tasks.delay(`demo.${name}`);
    expect(await told).toEqual([
      'taskReceived',
      'taskPrerun',
      'beforeStart',
      ...steps,
      `taskPostrun ${state}`,
    ]);
  });

  it('send the headers that a listener adds', async () => {
    const result = await tasks.of(Demo).headers.applyAsync([], { headers: { user: 3 } });
    expect(await result.get({ timeout: 5 })).toEqual({ user: 3, tenant: 7 });
  });

  it('fail a task whose beforeStart throws', async () => {
    const result = await tasks.of(Demo).unready.delay();
    await expect(result.get({ timeout: 5 })).rejects.toThrow('not now');
    expect(entries).not.toContain('never');
  });

  it('tell of tasks that do not run', async () => {
    const revoked = until('taskRevoked');
    await tasks.of(Demo).fail.applyAsync([], { expires: new Date(1) });
    expect(await revoked).toContain('taskRevoked');
    const unknown = until('taskUnknown');
    await tasks.sendTask('demo.nothing');
    expect(await unknown).toContain('taskUnknown');
  });

  it('tell of eager tasks', async () => {
    entries.splice(0);
    await tasks.of(Demo).fail.apply();
    expect(entries).toEqual([
      'taskPrerun',
      'beforeStart',
      'onFailure boom',
      'taskFailure',
      'afterReturn',
      'taskPostrun FAILURE',
    ]);
  });

  it('wait for hooks and listeners at a warm stop', async () => {
    const result = await tasks.of(Demo).headers.delay();
    await result.get({ timeout: 5 });
    await worker.stop();
    expect(entries.at(-1)).toBe('workerShutdown');
    expect(entries).toContain('taskPostrun SUCCESS');
  });
});
