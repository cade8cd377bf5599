import type { Type } from '@nestjs/common';
import { Injectable, Logger } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/internal';
import { TaskInvoker } from './task.invoker.js';
import { TaskMetadataAccessor } from './task-metadata.accessor.js';
import { TaskRegistry } from './task.registry.js';

/** Finds the tasks among the providers of the application and registers them. */
@Injectable()
export class TaskExplorer {
  private readonly logger = new Logger(TaskExplorer.name);
  private readonly accessor: TaskMetadataAccessor;
  private readonly seen = new WeakSet<object>();

  constructor(
    private readonly discovery: DiscoveryService,
    scanner: MetadataScanner,
    private readonly invoker: TaskInvoker,
    private readonly registry: TaskRegistry,
  ) {
    this.accessor = new TaskMetadataAccessor(scanner);
  }

  /**
   * Registers the tasks of all providers. To be called when the providers exist, in
   * `onModuleInit` at the earliest. May be called again after a module was loaded lazily; what
   * was found before is left alone.
   *
   * Found are class providers, values and what factories return. Of a factory that Nest runs for
   * every request nothing exists yet, so its tasks are found only when its token is their class.
   * An instance that is provided under several tokens counts once.
   *
   * @throws ImproperlyConfigured when two tasks have one name, a name is not valid, or something
   * bound to a task could not take effect.
   */
  explore(): void {
    // Classes first: of an instance that a factory hands on, the class provider is the one that
    // Nest made the enhancers for.
    const [made, given] = partition(
      this.discovery.getProviders(),
      (wrapper) => wrapper.isNotMetatype,
    );
    for (const wrapper of [...given, ...made]) {
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
    for (const definition of this.accessor.describeTasks(cls)) {
      const { name, options, place } = definition;
      this.registry.register({
        name,
        options,
        place: wrapper.host ? `${place} in ${wrapper.host.name}` : place,
        definition,
        invoke: this.invoker.create(wrapper, definition),
      });
      this.logger.debug(`Mapped task {${name}}`);
    }
  }
}

/** Whether Nest makes the real instance for every call. */
function isPlaceholder(wrapper: InstanceWrapper): boolean {
  return wrapper.isTransient || !wrapper.isDependencyTreeStatic();
}

/** The class whose tasks the provider has, if any. */
function classOf(wrapper: InstanceWrapper): Type | undefined {
  if (wrapper.isAlias) {
    return undefined;
  }
  const instance: unknown = wrapper.instance;
  if (!wrapper.isNotMetatype) {
    return instance ? (wrapper.metatype as Type) : undefined;
  }
  const cls: unknown =
    typeof instance === 'object' && instance !== null
      ? (Object.getPrototypeOf(instance) as object | null)?.constructor
      : isPlaceholder(wrapper)
        ? wrapper.token
        : undefined;
  return typeof cls === 'function' ? (cls as Type) : undefined;
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  const passed: T[] = [];
  const failed: T[] = [];
  for (const item of items) {
    (test(item) ? passed : failed).push(item);
  }
  return [passed, failed];
}
