import type { CanActivate, ExceptionFilter, NestInterceptor, PipeTransform } from '@nestjs/common';
import type { ExceptionFilterMetadata } from '@nestjs/common/internal';
import {
  CUSTOM_ROUTE_ARGS_METADATA,
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  PIPES_METADATA,
  ROUTE_ARGS_METADATA,
  RouteParamtypes,
} from '@nestjs/common/internal';
import type { ApplicationConfig, ContextId, ModulesContainer, NestContainer } from '@nestjs/core';
import type { InstanceWrapper, ParamProperties } from '@nestjs/core/internal';
import {
  BaseExceptionFilterContext,
  ContextUtils,
  GuardsContextCreator,
  PipesContextCreator,
  STATIC_CONTEXT,
} from '@nestjs/core/internal';
import { InterceptorsContextCreator } from '@nestjs/core/interceptors/interceptors-context-creator.js';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { TASK_CONTEXT_TYPE } from './task.constants.js';
import type { TaskDefinition } from './task-definition.interface.js';

/** A parameter that a decorator fills. */
export interface InjectedParameter {
  readonly index: number;
  readonly data: unknown;
  readonly schema: ParamProperties['schema'];
  /** Pipes given to the decorator; they run after the pipes of the method. */
  readonly pipes: readonly PipeTransform[];
  /** What the decorator makes of `[context, ...arguments]`. */
  readonly extract: (hostArgs: unknown[]) => unknown;
}

/** What Nest puts around one task of one instance. */
export interface TaskEnhancers {
  readonly guards: CanActivate[];
  readonly interceptors: NestInterceptor[];
  readonly pipes: PipeTransform[];
  /** Innermost first: method, class, global. */
  readonly filters: ExceptionFilterMetadata[];
  /** By position. */
  readonly injected: ReadonlyMap<number, InjectedParameter>;
  /** The types of the parameters, where the compiler emitted them. */
  readonly paramTypes: readonly unknown[];
}

interface ParameterMetadata {
  readonly index: number;
  readonly data?: unknown;
  readonly factory?: (...args: unknown[]) => void;
  readonly pipes: PipeTransform[];
  readonly schema?: ParamProperties['schema'];
}

const BINDERS = [
  ['@UseGuards', GUARDS_METADATA],
  ['@UseInterceptors', INTERCEPTORS_METADATA],
  ['@UsePipes', PIPES_METADATA],
  ['@UseFilters', EXCEPTION_FILTERS_METADATA],
] as const;

/**
 * Nest's external filter context without its last resort, which logs every error that no filter
 * handled: the worker logs the failures of tasks itself.
 */
class TaskFilterContext extends BaseExceptionFilterContext {
  constructor(
    container: NestContainer,
    private readonly config: ApplicationConfig,
  ) {
    super(container);
  }

  create(
    instance: object,
    handler: TaskDefinition['handler'],
    moduleKey: string,
    contextId: ContextId,
    inquirerId: string,
  ): ExceptionFilterMetadata[] {
    this.moduleContext = moduleKey;
    return this.createContext<unknown[], ExceptionFilterMetadata[]>(
      instance,
      handler,
      EXCEPTION_FILTERS_METADATA,
      contextId,
      inquirerId,
    ).toReversed();
  }

  override getGlobalMetadata(contextId: ContextId, inquirerId: string): any {
    const scoped = this.config
      .getGlobalRequestFilters()
      .map((wrapper) => ({
        wrapper,
        host: wrapper.getInstanceByContextId(this.getContextId(contextId, wrapper), inquirerId),
      }))
      .filter(({ wrapper, host }) => this.isInstantiated(wrapper, host))
      .map(({ host }) => host.instance);
    return [...this.config.getGlobalFilters(), ...scoped] as ExceptionFilter[];
  }
}

/**
 * Finds the guards, interceptors, pipes, filters and parameter decorators of a task. The only
 * file, with `task.invoker.ts`, that touches Nest's internals.
 *
 * It does what Nest's `ExternalContextCreator` does, but leaves the arguments to the invoker:
 * that class passes exactly the declared parameters, which takes away what goes into a rest
 * parameter and puts `undefined` where nothing was given.
 */
export class TaskEnhancersResolver {
  private readonly guards: GuardsContextCreator;
  private readonly interceptors: InterceptorsContextCreator;
  private readonly pipes: PipesContextCreator;
  private readonly filters: TaskFilterContext;
  private readonly utils = new ContextUtils();

  constructor(
    modules: ModulesContainer,
    private readonly config: ApplicationConfig,
  ) {
    // The creators ask the container for nothing but its modules.
    const container = { getModules: () => modules } as unknown as NestContainer;
    this.guards = new GuardsContextCreator(container, config);
    this.interceptors = new InterceptorsContextCreator(container, config);
    this.pipes = new PipesContextCreator(container, config);
    this.filters = new TaskFilterContext(container, config);
  }

  /** Global enhancers that Nest makes anew for every call. */
  getScopedGlobals(): InstanceWrapper[] {
    return [
      ...this.config.getGlobalRequestGuards(),
      ...this.config.getGlobalRequestInterceptors(),
      ...this.config.getGlobalRequestPipes(),
      ...this.config.getGlobalRequestFilters(),
    ];
  }

  /**
   * @param instance - The provider, resolved in `contextId`.
   * @param contextId - Default: the static context.
   */
  resolve(
    instance: object,
    wrapper: InstanceWrapper,
    definition: TaskDefinition,
    contextId: ContextId = STATIC_CONTEXT,
  ): TaskEnhancers {
    const { handler } = definition;
    const moduleKey = wrapper.host?.token ?? '';
    const pipes = this.pipes.create(instance, handler, moduleKey, contextId, wrapper.id);
    return {
      guards: this.guards.create(instance, handler, moduleKey, contextId, wrapper.id),
      interceptors: this.interceptors.create(instance, handler, moduleKey, contextId, wrapper.id),
      pipes,
      filters: this.filters.create(instance, handler, moduleKey, contextId, wrapper.id),
      injected: this.resolveInjected(instance, wrapper, definition, moduleKey, contextId),
      paramTypes: this.utils.reflectCallbackParamtypes(instance, definition.method) ?? [],
    };
  }

  /**
   * Refuses what Nest would silently leave out at run time.
   *
   * @throws ImproperlyConfigured for an enhancer given as a class that Nest made no instance of,
   * which happens when the provider comes from a factory or is a value, and for parameter
   * decorators of HTTP handlers.
   */
  assertResolvable(wrapper: InstanceWrapper, definition: TaskDefinition): void {
    const { place, provider, handler, options } = definition;
    const prototype = Object.create(provider.prototype as object) as object;
    for (const [binder, key] of BINDERS) {
      const bound = [
        ...(this.guards.reflectClassMetadata<unknown[] | undefined>(prototype, key) ?? []),
        ...(this.guards.reflectMethodMetadata<unknown[] | undefined>(handler, key) ?? []),
      ];
      const lost = bound.find(
        (item) => typeof item === 'function' && !wrapper.host?.injectables.has(item),
      ) as { readonly name: string } | undefined;
      if (lost) {
        throw new ImproperlyConfigured(
          `${binder}(${lost.name}) would not run for the task ${place}: Nest made no instance of ` +
            'it, as it does for class providers only, not for values and factories. Provide ' +
            `${provider.name} as a class, or give ${binder} an instance.`,
        );
      }
    }
    for (const [key, parameter] of Object.entries(this.reflectParameters(prototype, definition))) {
      if (!key.includes(CUSTOM_ROUTE_ARGS_METADATA)) {
        throw new ImproperlyConfigured(
          `Parameter ${parameter.index + 1} of the task ${place} has a decorator for HTTP ` +
            'handlers (@Body(), @Param(), ...), and a task has no HTTP request. Remove it: ' +
            'arguments are passed in order.',
        );
      }
      if (options.bind && parameter.index === 0) {
        throw new ImproperlyConfigured(
          `The first parameter of the task ${place} has a decorator, but with bind: true it ` +
            'takes the TaskContext. Remove the decorator or the option.',
        );
      }
    }
  }

  private resolveInjected(
    instance: object,
    wrapper: InstanceWrapper,
    definition: TaskDefinition,
    moduleKey: string,
    contextId: ContextId,
  ): ReadonlyMap<number, InjectedParameter> {
    const toHost = this.utils.getContextFactory<string>(
      TASK_CONTEXT_TYPE,
      instance,
      definition.handler,
    );
    this.pipes.setModuleContext(moduleKey);
    return new Map(
      Object.values(this.reflectParameters(instance, definition)).map((parameter) => [
        parameter.index,
        {
          index: parameter.index,
          data: parameter.data,
          schema: parameter.schema,
          pipes: this.pipes.createConcreteContext<PipeTransform[], PipeTransform[]>(
            parameter.pipes,
            contextId,
            wrapper.id,
          ),
          extract: (hostArgs) =>
            parameter.factory ? parameter.factory(parameter.data, toHost(hostArgs)) : null,
        },
      ]),
    );
  }

  private reflectParameters(
    instance: object,
    definition: TaskDefinition,
  ): Readonly<Record<string, ParameterMetadata>> {
    return (
      this.utils.reflectCallbackMetadata<Record<string, ParameterMetadata> | undefined>(
        instance,
        definition.method,
        ROUTE_ARGS_METADATA,
      ) ?? {}
    );
  }

  /** Says once when a ValidationPipe has nothing to validate by. */
  warnOnMissingTypes(instance: object, definition: TaskDefinition, enhancers: TaskEnhancers): void {
    const parameters = Array.from({ length: definition.handler.length }, (_, index) => index)
      .filter((index) => !enhancers.injected.has(index))
      .map(
        (index) => ({ index, type: RouteParamtypes.BODY, pipes: [] }) as unknown as ParamProperties,
      );
    this.utils.warnOnMissingParamtypes(
      instance,
      definition.method,
      enhancers.paramTypes.length > 0 ? [...enhancers.paramTypes] : undefined,
      enhancers.pipes,
      parameters,
    );
  }
}
