import type { Clock } from '../clock/index.js';
import type { AsyncResult, EagerResult, ResultServices } from '../results/index.js';
import { AsyncResult as Result } from '../results/index.js';
import { TaskContext, type TaskDefinition, type TaskRegistry } from '../tasks/index.js';
import { readDuration } from '../settings/index.js';
import { checkArgs, checkKwargs, checkOptions } from './apply-options.checker.js';
import type { ArgumentCounter } from './argument.counter.js';
import type { CallOptions } from './call-options.interface.js';
import type { ClientSettings } from './client-settings.interface.js';
import type { EagerRunner } from './eager.runner.js';
import { mergeOptions, type MergedOptions, type TaskCallOptions } from './options.merger.js';
import { checkQueueName } from './queue-name.js';
import type { Router } from './router.js';
import type { TaskPublisher } from './task.publisher.js';

/** The task that is called. */
export interface CallTarget {
  readonly name: string;
  /** What is known of it without looking it up: of a call through `of()`. */
  readonly definition?: TaskDefinition;
}

/** What calls are made with. */
export interface CallerDeps {
  readonly settings: ClientSettings;
  readonly registry: Pick<TaskRegistry, 'get' | 'has'>;
  readonly publisher: TaskPublisher;
  readonly eager: EagerRunner;
  readonly router: Router;
  readonly counter: ArgumentCounter;
  readonly clock: Clock;
  readonly services: ResultServices;
  warn(message: string): void;
}

type Kwargs = Readonly<Record<string, unknown>>;

const NO_OPTIONS: CallOptions = Object.freeze({});
const NO_TASK_OPTIONS: TaskCallOptions = Object.freeze({});

/** Takes a call from its arguments and options to the store, or to an eager run. */
export class TaskCaller {
  constructor(private readonly deps: CallerDeps) {}

  /** Publishes a call, or runs it here with `task_always_eager`. */
  async call(target: CallTarget, args: unknown, options: unknown): Promise<AsyncResult<any>> {
    const { settings } = this.deps;
    const given = this.read(target, args, options, []);
    this.count(target, given.args, given.kwargs);
    const merged = this.merge(target.name, given, this.definitionOf(target));
    return settings.taskAlwaysEager
      ? this.deps.eager.run(this.deps.registry.get(target.name), given.args, given.kwargs, merged)
      : this.publish(target.name, given, merged);
  }

  /** Runs a call here. */
  async apply(target: CallTarget, args: unknown, options: unknown): Promise<EagerResult<any>> {
    const given = this.read(target, args, options, ['throw']);
    const task = this.deps.registry.get(target.name);
    this.count(target, given.args, given.kwargs);
    const merged = this.merge(target.name, given, this.definitionOf(target));
    return this.deps.eager.run(task, given.args, given.kwargs, merged);
  }

  /** Publishes a call as it is: the arguments are not counted, and it is never eager. */
  async send(target: CallTarget, options: unknown): Promise<AsyncResult<any>> {
    const { args } = (options ?? {}) as { readonly args?: unknown };
    const given = this.read(target, args, options, ['args']);
    return this.publish(
      target.name,
      given,
      this.merge(target.name, given, this.definitionOf(target)),
    );
  }

  private async publish(
    name: string,
    { args, kwargs }: Given,
    options: MergedOptions,
  ): Promise<AsyncResult<any>> {
    const id = await this.deps.publisher.publish({ name, args, kwargs, options });
    return new Result(id, this.deps.services, { ignored: options.ignored });
  }

  private read(
    target: CallTarget,
    args: unknown,
    options: unknown,
    extra: readonly ('args' | 'throw')[],
  ): Given {
    assertName(target.name);
    if (options === undefined || options === null) {
      return { args: checkArgs(args), kwargs: {}, call: NO_OPTIONS, options: {} };
    }
    const call = checkOptions(options, this.deps.clock.now(), extra);
    const given = options as Record<string, unknown>;
    return { args: checkArgs(args), kwargs: checkKwargs(given['kwargs']), call, options: given };
  }

  private count(target: CallTarget, args: readonly unknown[], kwargs: Kwargs): void {
    const definition = this.definitionOf(target);
    if (definition !== undefined) {
      this.deps.counter.check(definition, args, kwargs, target.definition !== undefined);
    }
  }

  private definitionOf({ definition, name }: CallTarget): TaskDefinition | undefined {
    const { registry } = this.deps;
    return definition ?? (registry.has(name) ? registry.get(name).definition : undefined);
  }

  private merge(name: string, given: Given, definition: TaskDefinition | undefined): MergedOptions {
    const { clock, router, settings } = this.deps;
    const task = definition === undefined ? NO_TASK_OPTIONS : this.taskOptions(definition);
    const route = router.hasRoutes ? this.route(name, given) : NO_OPTIONS;
    const inherited = settings.taskInheritParentPriority
      ? TaskContext.current()?.request.deliveryInfo.priority
      : undefined;
    const merged = mergeOptions(given.call, task, route, settings, inherited);
    router.assertKnown(merged.queue, name);
    const { expiresAt } = merged;
    if (expiresAt !== undefined && expiresAt <= clock.now()) {
      this.deps.warn(
        `The task '${name}' is published with 'expires' in the past ` +
          `(${new Date(expiresAt).toISOString()}): it will not run, and ends REVOKED (expired).`,
      );
    }
    return merged;
  }

  private taskOptions({ options, place }: TaskDefinition): TaskCallOptions {
    const { expires, ignoreResult, priority, queue, serializer } = options;
    const lifetime = expires === undefined ? undefined : readDuration(expires);
    return {
      ...(ignoreResult !== undefined && { ignoreResult }),
      ...(priority !== undefined && { priority }),
      ...(serializer !== undefined && { serializer }),
      ...(queue !== undefined && { queue: named(place, () => checkQueueName(queue)) }),
      ...(lifetime !== undefined && {
        expiresAt: Math.round(this.deps.clock.now() + lifetime * 1000),
      }),
    };
  }

  private route(name: string, { args, kwargs, options }: Given): CallOptions {
    const target = this.deps.router.route({ name, args, kwargs, options });
    if (target === undefined) return NO_OPTIONS;
    return named(`task_routes for '${name}'`, () => checkOptions(target, this.deps.clock.now()));
  }
}

interface Given {
  readonly args: readonly unknown[];
  readonly kwargs: Kwargs;
  /** The options, checked. */
  readonly call: CallOptions;
  /** The options as they were given, for routers in code. */
  readonly options: Kwargs;
}

function assertName(name: unknown): void {
  if (typeof name !== 'string' || name === '') {
    throw new TypeError(
      "The name of a task is a string that is not empty, such as 'demoapp.tasks.add'.",
    );
  }
}

/** Says where a wrong option stands that the caller did not write. */
function named<T>(place: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw new TypeError(`In ${place}: ${(error as Error).message}`, { cause: error });
  }
}
