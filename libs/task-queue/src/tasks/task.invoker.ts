import { ForbiddenException, Injectable } from '@nestjs/common';
import { selectExceptionFilterMetadata } from '@nestjs/common/internal';
import type { ContextId } from '@nestjs/core';
import { ApplicationConfig, ContextIdFactory, ModuleRef, ModulesContainer } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/internal';
import {
  ExecutionContextHost,
  FORBIDDEN_MESSAGE,
  GuardsConsumer,
  Injector,
  InterceptorsConsumer,
  PipesConsumer,
  REQUEST_CONTEXT_ID,
} from '@nestjs/core/internal';
import { isObservable, lastValueFrom } from 'rxjs';
import { ControlFlow, isError } from '../errors/task-queue.errors.js';
import { joinArguments, resolveParameters } from './task-arguments.util.js';
import { attemptTask } from './task.attempt.js';
import { TASK_CONTEXT_TYPE } from './task.constants.js';
import { TaskContext } from './task.context.js';
import type { RegisteredTask, TaskDefinition, TaskMethod } from './task-definition.interface.js';
import type { TaskEnhancers } from './task-enhancers.resolver.js';
import { TaskEnhancersResolver } from './task-enhancers.resolver.js';

type Runner = (context: TaskContext, given: readonly unknown[]) => unknown;
type Host = Record<string, TaskMethod>;

/** Makes the function that runs a task out of the provider that Nest holds. */
@Injectable()
export class TaskInvoker {
  private readonly resolver: TaskEnhancersResolver;
  private readonly injector = new Injector();
  private readonly guards = new GuardsConsumer();
  private readonly interceptors = new InterceptorsConsumer();
  private readonly pipes = new PipesConsumer();

  constructor(
    modules: ModulesContainer,
    config: ApplicationConfig,
    private readonly moduleRef: ModuleRef,
  ) {
    this.resolver = new TaskEnhancersResolver(modules, config);
  }

  /**
   * Guards, interceptors, pipes, filters and parameter decorators work as on a controller, with
   * `host.getType() === 'task'`. Where there are none and the provider is a singleton, the
   * method is called directly. Request-scoped and transient providers are made for every call,
   * with the `TaskContext` as `REQUEST`.
   *
   * An error thrown by a guard, an interceptor or a pipe is the outcome of the task, as one
   * thrown by the method. A filter that returns a value makes that the task's; one that returns
   * `undefined` leaves the error as it is. `Ignore`, `Reject` and `Retry` pass by the filters.
   * Automatic retries come last, for what all of these let through.
   *
   * @throws ImproperlyConfigured when something bound to the task could not take effect.
   */
  create(wrapper: InstanceWrapper, definition: TaskDefinition): RegisteredTask['invoke'] {
    this.resolver.assertResolvable(wrapper, definition);
    // Compiled at the first call: global enhancers may still be added after the start.
    let runner: Runner | undefined;
    const execute: RegisteredTask['invoke'] = (context, args, kwargs) =>
      attemptTask(context, definition.options, async () => {
        runner ??= this.compile(wrapper, definition);
        return settle(await runner(context, joinArguments(args, kwargs)));
      });
    return (context, args, kwargs) =>
      TaskContext.current() === context
        ? execute(context, args, kwargs)
        : TaskContext.run(context, execute, context, args, kwargs);
  }

  private compile(wrapper: InstanceWrapper, definition: TaskDefinition): Runner {
    const { method, options } = definition;
    const scopedGlobals = this.resolver.getScopedGlobals();
    if (isScoped(wrapper) || scopedGlobals.length > 0) {
      return (context, given) => this.runScoped(wrapper, definition, scopedGlobals, context, given);
    }
    const instance = wrapper.instance as Host;
    const enhancers = this.resolver.resolve(instance, wrapper, definition);
    if (!isPlain(enhancers)) {
      this.resolver.warnOnMissingTypes(instance, definition, enhancers);
      return (context, given) => this.runEnhanced(instance, definition, enhancers, context, given);
    }
    // Looked up at the call, so that a test may put a spy on the instance.
    return options.bind
      ? (context, given) => instance[method]!(context, ...given)
      : (_context, given) => instance[method]!(...given);
  }

  private async runScoped(
    wrapper: InstanceWrapper,
    definition: TaskDefinition,
    scopedGlobals: InstanceWrapper[],
    context: TaskContext,
    given: readonly unknown[],
  ): Promise<unknown> {
    const contextId = this.enterScope(wrapper, context);
    let instance = wrapper.instance as Host;
    if (isScoped(wrapper)) {
      const { host } = wrapper;
      const placeholder = instance ?? { constructor: definition.provider };
      instance = await this.injector.loadPerContext(
        placeholder,
        host!,
        host!.providers,
        contextId,
        wrapper,
      );
    }
    if (scopedGlobals.length > 0) {
      await this.injector.loadEnhancersPerContext(wrapper, contextId, wrapper, [
        ...(wrapper.getEnhancersMetadata() ?? []),
        ...scopedGlobals,
      ]);
    }
    const enhancers = this.resolver.resolve(instance, wrapper, definition, contextId);
    return this.runEnhanced(instance, definition, enhancers, context, given);
  }

  private async runEnhanced(
    instance: Host,
    definition: TaskDefinition,
    enhancers: TaskEnhancers,
    context: TaskContext,
    given: readonly unknown[],
  ): Promise<unknown> {
    const { handler, method } = definition;
    const { guards, interceptors, filters } = enhancers;
    const hostArgs = [context, ...given];
    try {
      const allowed =
        guards.length === 0 ||
        (await this.guards.tryActivate(guards, hostArgs, instance, handler, TASK_CONTEXT_TYPE));
      if (!allowed) {
        throw new ForbiddenException(FORBIDDEN_MESSAGE);
      }
      const next = async (): Promise<unknown> =>
        instance[method]!(
          ...(await resolveParameters(this.pipes, enhancers, definition, context, given)),
        );
      return await settle(
        await this.interceptors.intercept(
          interceptors,
          hostArgs,
          instance,
          handler,
          next,
          TASK_CONTEXT_TYPE,
        ),
      );
    } catch (error) {
      const host = new ExecutionContextHost(hostArgs, definition.provider, handler);
      host.setType(TASK_CONTEXT_TYPE);
      return applyFilters(error, filters, host);
    }
  }

  /** As Nest's router does for a request. */
  private enterScope(wrapper: InstanceWrapper, context: TaskContext): ContextId {
    const contextId = ContextIdFactory.getByRequest(context);
    if (!(REQUEST_CONTEXT_ID in context)) {
      Object.defineProperty(context, REQUEST_CONTEXT_ID, { value: contextId });
      const request = wrapper.isDependencyTreeDurable()
        ? contextId.payload
        : Object.assign(context, contextId.payload);
      this.moduleRef.registerRequestByContextId(request, contextId);
    }
    return contextId;
  }
}

function isScoped(wrapper: InstanceWrapper): boolean {
  return wrapper.isTransient || !wrapper.isDependencyTreeStatic();
}

function isPlain({ guards, interceptors, pipes, filters, injected }: TaskEnhancers): boolean {
  return (
    guards.length + interceptors.length + pipes.length + filters.length === 0 && injected.size === 0
  );
}

function settle(value: unknown): unknown {
  return isObservable(value) ? lastValueFrom(value, { defaultValue: undefined }) : value;
}

async function applyFilters(
  error: unknown,
  filters: TaskEnhancers['filters'],
  host: ExecutionContextHost,
): Promise<unknown> {
  // What a task says to the worker is not an error, and a filter that catches all must not
  // turn it into a success.
  const filter =
    error instanceof ControlFlow
      ? undefined
      : selectExceptionFilterMetadata(filters, error as Error);
  if (!filter) {
    throw error;
  }
  let answer: unknown;
  try {
    answer = await settle(await filter.func(error, host));
  } catch (thrown) {
    throw withCause(thrown, error);
  }
  if (answer === undefined) {
    throw error;
  }
  return answer;
}

/** A filter made for HTTP fails in a task for want of a response; keep what it was called for. */
function withCause(thrown: unknown, cause: unknown): unknown {
  if (isError(thrown) && thrown !== cause && thrown.cause === undefined) {
    Reflect.set(thrown, 'cause', cause);
  }
  return thrown;
}
