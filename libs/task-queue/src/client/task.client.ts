import { Inject, Injectable, type Type } from '@nestjs/common';

import type { Broker } from '../brokers/broker.port.js';
import type { Clock } from '../clock/index.js';
import { NO_TASK_HOOKS, type PublishHooks, type TaskHooks } from '../events/index.js';
import { CodecRegistry } from '../messages/index.js';
import {
  AsyncResult,
  knownErrorClasses,
  type ResultBackend,
  ResultRecorder,
  type ResultServices,
  ResultWaiter,
} from '../results/index.js';
import { TaskContext, TaskMetadataAccessor, type TaskRegistry } from '../tasks/index.js';
import type { ApplyOptions, SendTaskOptions } from './apply-options.interface.js';
import { ArgumentCounter } from './argument.counter.js';
import type { ClientSettings } from './client-settings.interface.js';
import { EagerRunner } from './eager.runner.js';
import { Router } from './router.js';
import { TaskCaller } from './task.caller.js';
import { type ApplyParameters, type ApplyWithKwargs, TaskHandle } from './task.handle.js';
import { taskHandlesOf, type TaskHandles } from './task.proxy.js';
import { TaskPublisher } from './task.publisher.js';
import { TaskRevoker } from './task.revoker.js';
import type { ArgsOf, ReturnOf, TaskName } from './task-types.js';

/** The token of what a `TaskClient` is made from. */
export const TASK_CLIENT_DEPS = 'nestjs-celery:task-client-deps';

/** What a `TaskClient` is made from. */
export interface TaskClientDeps {
  readonly settings: ClientSettings;
  readonly broker: Broker;
  readonly backend: ResultBackend;
  readonly registry: Pick<TaskRegistry, 'get' | 'has' | 'errorClasses'>;
  readonly clock: Clock;
  readonly logger: { warn(message: string): void };
  readonly accessor?: TaskMetadataAccessor;
  readonly codecs?: CodecRegistry;
  readonly publishHooks?: PublishHooks;
  /** For tasks that run here. */
  readonly taskHooks?: TaskHooks;
}

/**
 * Calls tasks and reads their results. Celery's `app`, as its callers use it.
 *
 * Nothing is connected before the first call. Every call that needs the broker throws
 * OperationalError when it cannot be reached, within a bounded time.
 */
@Injectable()
export class TaskClient {
  readonly #deps: TaskClientDeps;
  readonly #accessor: TaskMetadataAccessor;
  readonly #waiter: ResultWaiter;
  readonly #services: ResultServices;
  readonly #caller: TaskCaller;
  readonly #handles = new WeakMap<Type, object>();
  #isClosed: Promise<void> | undefined;
  #hasWarnedOfEager = false;

  constructor(@Inject(TASK_CLIENT_DEPS) deps: TaskClientDeps) {
    const { backend, broker, clock, registry, settings } = deps;
    const warn = (message: string): void => deps.logger.warn(message);
    this.#deps = deps;
    this.#accessor = deps.accessor ?? new TaskMetadataAccessor();
    this.#waiter = new ResultWaiter(broker, backend, clock);
    const recorder = new ResultRecorder(settings, clock, (name) =>
      registry.has(name) ? registry.get(name).options : undefined,
    );
    const revoker = new TaskRevoker({ broker, backend, recorder });
    this.#services = {
      backend,
      waiter: this.#waiter,
      locate: (id) => broker.locate(id),
      revoke: (id, options) => revoker.revoke(id, options),
      errorClasses: () =>
        knownErrorClasses(registry.errorClasses().values(), settings.resultKnownErrors),
      // An eager task holds no slot of a worker.
      insideTask: () => TaskContext.current()?.request.isEager === false,
      warn,
    };
    const services = this.#services;
    this.#caller = new TaskCaller({
      settings,
      registry,
      publisher: new TaskPublisher(
        broker,
        settings,
        deps.codecs ?? new CodecRegistry(),
        clock,
        deps.publishHooks,
      ),
      eager: new EagerRunner({
        broker,
        backend,
        recorder,
        clock,
        services,
        settings,
        hooks: deps.taskHooks ?? NO_TASK_HOOKS,
      }),
      router: new Router(settings),
      counter: new ArgumentCounter(),
      clock,
      services,
      warn,
    });
  }

  /**
   * The tasks of a provider, with their arguments and results known to the compiler:
   * `tasks.of(DemoTasks).add.delay(2, 3)`. The class need not be provided in this process.
   *
   * @throws TypeError - `provider` is no class with tasks; or, when it is asked for, a method is
   * no task.
   */
  of<T>(provider: Type<T>): TaskHandles<T> {
    const known = typeof provider === 'function' ? this.#handles.get(provider) : undefined;
    if (known !== undefined) return known as TaskHandles<T>;
    const handles = taskHandlesOf(
      provider,
      this.#accessor,
      (definition) => new TaskHandle(this.#caller, { name: definition.name, definition }),
    );
    this.#handles.set(provider, handles);
    return handles;
  }

  /** A task by its name; typed when the name is in `TaskMap`. */
  task<N extends TaskName>(name: N): TaskHandle<ArgsOf<N>, ReturnOf<N>> {
    return new TaskHandle(this.#caller, { name });
  }

  /** Publishes a call of a task by its name: `tasks.delay('demoapp.tasks.add', 2, 3)`. */
  delay<N extends TaskName>(name: N, ...args: ArgsOf<N>): Promise<AsyncResult<ReturnOf<N>>> {
    return this.#caller.call({ name }, args, undefined);
  }

  /** The same with options: `tasks.applyAsync('demoapp.tasks.add', [2, 3], { countdown: 10 })`. */
  applyAsync<N extends TaskName>(
    name: N,
    ...[args, options]: ApplyParameters<ArgsOf<N>, ApplyOptions> | ApplyWithKwargs<ApplyOptions>
  ): Promise<AsyncResult<ReturnOf<N>>> {
    return this.#caller.call({ name }, args, options);
  }

  /**
   * Publishes a call of a task that nothing need be known of here. The arguments are not counted,
   * and it is published also with `task_always_eager`, with a warning. Celery's `send_task`.
   */
  async sendTask<R = any>(name: string, options: SendTaskOptions = {}): Promise<AsyncResult<R>> {
    if (this.#deps.settings.taskAlwaysEager && !this.#hasWarnedOfEager) {
      this.#hasWarnedOfEager = true;
      this.#deps.logger.warn(
        `task_always_eager has no effect on sendTask(): '${name}' is published. Use delay() or ` +
          'applyAsync() to run a task here.',
      );
    }
    return this.#caller.send({ name }, options);
  }

  /** The handle to the result of a task by its id. Celery's `AsyncResult(id)`. */
  result<R = any>(id: string): AsyncResult<R> {
    if (typeof id !== 'string' || id === '') {
      throw new TypeError('result() takes the id of a task: a string that is not empty.');
    }
    return new AsyncResult<R>(id, this.#services);
  }

  /** One round trip to the broker. @throws OperationalError - It cannot be reached. */
  async ping(): Promise<void> {
    await this.#deps.broker.ping();
  }

  /**
   * Gives up what still waits for results, and closes the connections to the result store and
   * the broker. Calls after the first do nothing.
   */
  close(): Promise<void> {
    this.#isClosed ??= this.#close();
    return this.#isClosed;
  }

  async #close(): Promise<void> {
    await this.#waiter.close();
    await this.#deps.backend.close();
    await this.#deps.broker.close();
  }
}
