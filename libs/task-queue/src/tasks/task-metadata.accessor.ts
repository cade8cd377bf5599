import type { Type } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/internal';
import { MetadataScanner } from '@nestjs/core';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { SHARED_TASK_METADATA, TASK_NAMESPACE_METADATA } from './task.constants.js';
import type { TaskDefinition, TaskMethod } from './task-definition.interface.js';
import type { SharedTaskOptions } from './task-options.interface.js';
import { assertTaskName } from './task-options.validator.js';

/** The only reader of the metadata that the decorators of this room write. */
export class TaskMetadataAccessor {
  constructor(private readonly scanner: MetadataScanner = new MetadataScanner()) {}

  /** The options given to `@SharedTask`, or `undefined` when the function is not a task. */
  getTask(method: unknown): Readonly<SharedTaskOptions> | undefined {
    return typeof method === 'function'
      ? (Reflect.getMetadata(SHARED_TASK_METADATA, method) as SharedTaskOptions | undefined)
      : undefined;
  }

  /** The namespace of the class or of its nearest ancestor that has one, else the class name. */
  getNamespace(cls: Type): string {
    return (Reflect.getMetadata(TASK_NAMESPACE_METADATA, cls) as string | undefined) ?? cls.name;
  }

  /**
   * The tasks of a class, inherited ones included, in the order of declaration. No instance is
   * needed, and the class need not be provided anywhere.
   *
   * @throws ImproperlyConfigured when a name is not 1 to 200 letters, digits, `_`, `.`, `-`, `$`,
   * or when an unnamed class has no namespace.
   */
  describeTasks(cls: Type): TaskDefinition[] {
    const prototype = cls.prototype as Record<string, TaskMethod> | undefined;
    if (!prototype) {
      return [];
    }
    const definitions: TaskDefinition[] = [];
    for (const method of this.scanner.getAllMethodNames(prototype)) {
      const handler = prototype[method]!;
      const options = this.getTask(handler);
      if (options) {
        definitions.push(this.describe(cls, method, handler, options));
      }
    }
    return definitions;
  }

  private describe(
    cls: Type,
    method: string,
    handler: TaskMethod,
    options: Readonly<SharedTaskOptions>,
  ): TaskDefinition {
    const place = `${cls.name || 'an unnamed class'}.${method}`;
    const name = options.name ?? this.composeName(cls, method, place);
    assertTaskName(name, place);
    return Object.freeze({
      name,
      provider: cls,
      method,
      handler,
      options,
      injectedParameters: this.getInjectedParameters(cls, method),
      place,
    });
  }

  private composeName(cls: Type, method: string, place: string): string {
    const namespace = this.getNamespace(cls);
    if (!namespace) {
      throw new ImproperlyConfigured(
        `The class of ${place} has no name to name its tasks after. ` +
          "Give it one with @TaskNamespace('demoapp.tasks').",
      );
    }
    return `${namespace}.${method}`;
  }

  private getInjectedParameters(cls: Type, method: string): readonly number[] {
    const parameters = (Reflect.getMetadata(ROUTE_ARGS_METADATA, cls, method) ?? {}) as Record<
      string,
      { readonly index: number }
    >;
    const positions = new Set(Object.values(parameters).map(({ index }) => index));
    return Object.freeze([...positions].toSorted((a, b) => a - b));
  }
}
