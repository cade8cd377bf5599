import type { Type } from '@nestjs/common';
import { Injectable, Logger } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/internal';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { TaskMetadataAccessor, type TaskDefinition } from '../tasks/index.js';
import { ListenerMetadataAccessor, type ListenerMethod } from './listener-metadata.accessor.js';
import type { AnyMethod } from './method-place.util.js';
import { classOf, isPlaceholder } from './provider-class.util.js';
import type { SignalEvents, SignalName } from './signal-events.interface.js';
import type { SignalSubscription } from './signal.decorators.js';
import { compileTaskFilter, type TaskMatcher } from './task.filter.js';
import type { TaskHookDeclaration } from './task-hook.decorators.js';
import { TaskHookRegistry } from './task-hook.registry.js';
import { TaskSignals } from './task.signals.js';

type Host = Record<string, AnyMethod>;

/** Finds the listeners and the hooks among the providers of the application. */
@Injectable()
export class ListenerExplorer {
  private readonly logger = new Logger(ListenerExplorer.name);
  private readonly listeners: ListenerMetadataAccessor;
  private readonly tasks: TaskMetadataAccessor;
  private readonly seen = new WeakSet<object>();
  /** Where a class with listeners is provided as itself. */
  private readonly modules = new Map<Type, string>();

  constructor(
    private readonly discovery: DiscoveryService,
    scanner: MetadataScanner,
    private readonly signals: TaskSignals,
    private readonly hooks: TaskHookRegistry,
  ) {
    this.listeners = new ListenerMetadataAccessor(scanner);
    this.tasks = new TaskMetadataAccessor(scanner);
  }

  /**
   * Connects the methods with `@OnTaskFailure()` and the like, and registers those with
   * `@OnFailure()` and the like, of all providers. To be called when the providers exist, in
   * `onModuleInit` at the earliest. May be called again after a module was loaded lazily; what was
   * found before is left alone. An instance that is provided under several tokens counts once.
   *
   * @throws ImproperlyConfigured when a provider with such a method is request-scoped or
   * transient, or a decorator names a task that its class does not have.
   */
  explore(): void {
    for (const wrapper of this.discovery.getProviders()) {
      const cls = classOf(wrapper);
      if (cls && this.isNew(wrapper)) {
        this.register(wrapper, cls);
      }
    }
  }

  private isNew(wrapper: InstanceWrapper): boolean {
    const identity = isPlaceholder(wrapper) ? wrapper : (wrapper.instance as object);
    const isNew = !this.seen.has(identity);
    this.seen.add(identity);
    return isNew;
  }

  private register(wrapper: InstanceWrapper, cls: Type): void {
    const methods = this.listeners.describe(cls);
    if (methods.length === 0) {
      return;
    }
    assertLasting(wrapper, cls, methods[0]!);
    this.warnOfTwins(wrapper, cls);
    const tasks = this.tasks.describeTasks(cls);
    for (const found of methods) {
      this.connect(wrapper, found);
      for (const hook of found.hooks) {
        this.addHook(wrapper, cls, found, hook, tasks);
      }
    }
  }

  /** Once per signal, however many of its decorators the method has. */
  private connect(
    wrapper: InstanceWrapper,
    { method, place, subscriptions }: ListenerMethod,
  ): void {
    // Looked up at the call, so that a test may put a spy on the instance.
    const instance = wrapper.instance as Host;
    for (const [signal, ofSignal] of bySignal(subscriptions)) {
      const matches = this.matcherOf(ofSignal, place);
      this.signals.connect(signal, (event: SignalEvents[SignalName]) => instance[method]!(event), {
        place: placeIn(wrapper, place),
        ...(matches && { matches }),
      });
      this.logger.debug(`Mapped listener {${place}, ${signal}}`);
    }
  }

  private matcherOf(
    subscriptions: readonly SignalSubscription[],
    place: string,
  ): TaskMatcher | undefined {
    const matchers: TaskMatcher[] = [];
    for (const { decorator, task } of subscriptions) {
      if (task === undefined) {
        return undefined;
      }
      matchers.push(compileTaskFilter(task, `${decorator} on ${place}`, this.tasks));
    }
    return (name) => matchers.some((matches) => matches(name));
  }

  private addHook(
    wrapper: InstanceWrapper,
    cls: Type,
    { method, place }: ListenerMethod,
    { decorator, kind, methods }: TaskHookDeclaration,
    tasks: readonly TaskDefinition[],
  ): void {
    const missing = methods.find((name) => tasks.every((task) => task.method !== name));
    if (missing !== undefined || tasks.length === 0) {
      throw new ImproperlyConfigured(
        missing === undefined
          ? `${decorator} on ${place} is a hook of the tasks of ${cls.name}, which has none. Put ` +
              '@SharedTask() on its tasks; to listen to the tasks of other classes use ' +
              '@OnTaskSuccess(), @OnTaskFailure() and the like.'
          : `${decorator} on ${place} names '${missing}', which is no task of ${cls.name}: its ` +
              `tasks are: ${tasks.map((task) => task.method).join(', ') || 'none'}. Put ` +
              '@SharedTask() on that method (an override needs its own), or name another.',
      );
    }
    const instance = wrapper.instance as Host;
    for (const task of tasks) {
      if (methods.length === 0 || methods.includes(task.method)) {
        this.hooks.add(task.name, {
          kind,
          place: `The hook ${placeIn(wrapper, place)} of ${task.name}`,
          run: (...args) => instance[method]!(...args),
        });
      }
    }
    this.logger.debug(`Mapped hook {${place}, ${kind}}`);
  }

  /** Two instances of one class are told of everything twice, which is rarely meant. */
  private warnOfTwins(wrapper: InstanceWrapper, cls: Type): void {
    if (wrapper.isNotMetatype) {
      return;
    }
    const module = wrapper.host?.name ?? 'a module';
    const other = this.modules.get(cls);
    this.modules.set(cls, other ?? module);
    if (other !== undefined) {
      this.logger.warn(
        `${cls.name} is provided twice, in ${other} and ${module}, and its listeners are called ` +
          'twice. Provide it in one module and let the others import that module.',
      );
    }
  }
}

function assertLasting(
  wrapper: InstanceWrapper,
  cls: Type,
  { place, ...found }: ListenerMethod,
): void {
  if (isPlaceholder(wrapper)) {
    const { decorator } = (found.subscriptions[0] ?? found.hooks[0])!;
    const scope = wrapper.isTransient
      ? 'is transient: Nest makes one for every consumer'
      : 'is request-scoped, or depends on a provider that is: Nest makes one for every task';
    throw new ImproperlyConfigured(
      `${decorator} on ${place} would never be called: ${placeIn(wrapper, cls.name)} ${scope}, and ` +
        'none of them is there to be told. Move the method to a provider of the default scope; ' +
        'there, ModuleRef.resolve() gives it what is request-scoped.',
    );
  }
}

function bySignal(
  subscriptions: readonly SignalSubscription[],
): Map<SignalName, SignalSubscription[]> {
  const groups = new Map<SignalName, SignalSubscription[]>();
  for (const subscription of subscriptions) {
    groups.set(subscription.signal, [...(groups.get(subscription.signal) ?? []), subscription]);
  }
  return groups;
}

function placeIn(wrapper: InstanceWrapper, place: string): string {
  return wrapper.host ? `${place} in ${wrapper.host.name}` : place;
}
