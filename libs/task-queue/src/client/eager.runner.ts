import { hostname } from 'node:os';
import { performance } from 'node:perf_hooks';
import { v7 as uuid } from 'uuid';

import type { Broker, ResultRecord } from '../brokers/broker.port.js';
import type { Clock } from '../clock/index.js';
import { Ignore, isError, Reject, Retry } from '../errors/task-queue.errors.js';
import type { RunState, TaskHooks } from '../events/index.js';
import { decodeJson, encodeJson, type TaskHeaders } from '../messages/index.js';
import {
  EagerResult,
  isoWithOffset,
  type ResultBackend,
  type ResultRecorder,
  type ResultServices,
  type TaskMeta,
} from '../results/index.js';
import {
  createTaskContext,
  type RegisteredTask,
  TaskContext,
  TaskRequest,
  type TaskServices,
} from '../tasks/index.js';
import type { MergedOptions } from './options.merger.js';
import { retriedHeaders } from './retried.headers.js';

/** What an eager run works with. */
export interface EagerDeps {
  readonly broker: Pick<Broker, 'announce'>;
  readonly backend: ResultBackend;
  readonly recorder: ResultRecorder;
  readonly clock: Clock;
  readonly services: ResultServices;
  readonly hooks: TaskHooks;
  readonly settings: {
    readonly taskEagerPropagates: boolean;
    readonly taskStoreEagerResult: boolean;
  };
}

interface Ran {
  readonly status: RunState;
  /** What the task returned or threw. */
  readonly value: unknown;
  /** What is to be stored of it. */
  readonly record?: ResultRecord;
}

/**
 * Runs tasks in the calling process, at once: `apply()` and `task_always_eager`. The arguments go
 * through JSON as they would on their way to a worker; countdown, eta and expires are passed over.
 * A task that asks to be retried is run again at once, as often as its retries allow.
 */
export class EagerRunner {
  private readonly hostname = hostname();

  constructor(private readonly deps: EagerDeps) {}

  /**
   * @throws EncodeError - An argument cannot be encoded.
   * @throws The error of the task, with `throw` or `task_eager_propagates`.
   */
  async run(
    task: RegisteredTask,
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
    options: MergedOptions,
  ): Promise<EagerResult<any>> {
    const { services, settings } = this.deps;
    let headers = this.headers(options);
    let request = this.request(task, args, kwargs, headers, options);
    let ran = await this.attempt(task, request);
    while (ran.value instanceof Retry && ran.status === 'RETRY') {
      const { changes } = ran.value;
      ({ headers } = retriedHeaders(headers, ran.value, this.deps.clock.now()));
      request = this.request(task, changes.args ?? args, changes.kwargs ?? kwargs, headers, {
        ...options,
        taskId: request.id,
        queue: changes.queue ?? request.deliveryInfo.routingKey,
      });
      ran = await this.attempt(task, request);
    }
    const { status, value } = ran;
    if (status === 'FAILURE' && (options.throw ?? settings.taskEagerPropagates)) throw value;
    return new EagerResult(this.meta(request, status, value), services);
  }

  private async attempt(task: RegisteredTask, request: TaskRequest): Promise<Ran> {
    const { context } = createTaskContext({ request, services: this.taskServices() });
    this.deps.hooks.prerun(context);
    const begin = performance.now();
    const ran = await this.invoke(task, context, request);
    if (this.deps.settings.taskStoreEagerResult) await this.store(ran.record);
    this.tell(context, ran, (performance.now() - begin) / 1000);
    return ran;
  }

  private tell(context: TaskContext, { status, value }: Ran, runtime: number): void {
    const { hooks } = this.deps;
    if (status === 'SUCCESS') hooks.success(context, value, runtime);
    if (status === 'FAILURE') hooks.failure(context, value);
    if (value instanceof Reject && status === 'REJECTED') {
      hooks.rejected(context.request, value.reason ?? 'The task rejected its message.', false);
    }
    if (value instanceof Retry && status === 'RETRY') {
      hooks.retry(context, { error: value.cause ?? null, reason: value.message, retryAt: null });
    }
    hooks.postrun(context, status, value);
  }

  private async invoke(
    task: RegisteredTask,
    context: TaskContext,
    request: TaskRequest,
  ): Promise<Ran> {
    const { hooks, recorder, settings } = this.deps;
    const { taskStoreEagerResult } = settings;
    try {
      await hooks.beforeStart(context);
      const value = await task.invoke(context, request.args, request.kwargs);
      // What a worker could not store makes the task fail here as well.
      const record = taskStoreEagerResult ? recorder.success(request, value) : undefined;
      return { status: 'SUCCESS', value, record };
    } catch (error) {
      if (error instanceof Retry) {
        return { status: 'RETRY', value: error, record: recorder.retry(request, error) };
      }
      if (error instanceof Ignore) return { status: 'IGNORED', value: error };
      if (error instanceof Reject) return { status: 'REJECTED', value: error };
      return { status: 'FAILURE', value: error, record: recorder.failure(request, error) };
    }
  }

  private request(
    task: RegisteredTask,
    args: readonly unknown[],
    kwargs: Readonly<Record<string, unknown>>,
    headers: TaskHeaders,
    options: MergedOptions,
  ): TaskRequest {
    return new TaskRequest({
      message: { id: options.taskId ?? uuid(), task: task.name, headers },
      args: decodeJson(encodeJson(args, 'args')) as unknown[],
      kwargs: decodeJson(encodeJson(kwargs, 'kwargs')) as Record<string, unknown>,
      hostname: this.hostname,
      queue: options.queue,
      isEager: true,
      ignoreResult: headers.ignore_result ?? options.ignored,
    });
  }

  private headers(options: MergedOptions): TaskHeaders {
    const caller = TaskContext.current()?.request;
    return {
      origin: `gen${process.pid}@${this.hostname}`,
      // Without one the request takes the task's own id.
      root_id: options.rootId ?? caller?.rootId ?? null,
      parent_id: options.parentId ?? caller?.id ?? null,
      shadow: options.shadow ?? null,
      argsrepr: options.argsRepr ?? null,
      kwargsrepr: options.kwargsRepr ?? null,
      headers: options.headers ?? null,
      ...(options.priority > 0 && { priority: options.priority }),
    };
  }

  private taskServices(): TaskServices {
    const { recorder, settings } = this.deps;
    return {
      updateState: async ({ request }, state, meta) => {
        if (settings.taskStoreEagerResult) {
          await this.store(recorder.custom(request, state, meta));
        }
      },
    };
  }

  private async store(record: ResultRecord | undefined): Promise<void> {
    if (record === undefined) return;
    const { backend, broker } = this.deps;
    const isStored = await backend.store(record);
    if (isStored && !backend.inBroker) await broker.announce(record.id, record.payload);
  }

  private meta(request: TaskRequest, status: string, value: unknown): TaskMeta {
    return {
      status,
      result: value,
      traceback: status === 'FAILURE' && isError(value) ? (value.stack ?? null) : null,
      children: [],
      date_done: isoWithOffset(this.deps.clock.now()),
      task_id: request.id,
      name: request.task,
      args: request.args,
      kwargs: request.kwargs,
      worker: request.hostname,
      retries: request.retries,
      queue: request.deliveryInfo.routingKey,
    };
  }
}
