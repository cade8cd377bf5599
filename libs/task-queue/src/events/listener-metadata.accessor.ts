import type { Type } from '@nestjs/common';
import { MetadataScanner } from '@nestjs/core';
import { SIGNAL_METADATA, TASK_HOOK_METADATA } from './events.constants.js';
import type { AnyMethod } from './method-place.util.js';
import type { SignalSubscription } from './signal.decorators.js';
import type { TaskHookDeclaration } from './task-hook.decorators.js';

/** A method with decorators of this room. */
export interface ListenerMethod {
  /** The name of the method. */
  readonly method: string;
  /** Where it is written, for messages: `Audit.failed`. */
  readonly place: string;
  readonly subscriptions: readonly SignalSubscription[];
  readonly hooks: readonly TaskHookDeclaration[];
}

/** The only reader of the metadata that the decorators of this room write. */
export class ListenerMetadataAccessor {
  constructor(private readonly scanner: MetadataScanner = new MetadataScanner()) {}

  /** The decorated methods of a class, inherited ones included, in the order of declaration. */
  describe(cls: Type): ListenerMethod[] {
    const prototype = cls.prototype as Record<string, AnyMethod> | undefined;
    const found: ListenerMethod[] = [];
    for (const method of prototype ? this.scanner.getAllMethodNames(prototype) : []) {
      const handler = prototype![method]!;
      const subscriptions = read(SIGNAL_METADATA, handler) as SignalSubscription[];
      const hooks = read(TASK_HOOK_METADATA, handler) as TaskHookDeclaration[];
      if (subscriptions.length + hooks.length > 0) {
        const place = `${cls.name || 'an unnamed class'}.${method}`;
        found.push({ method, place, subscriptions, hooks });
      }
    }
    return found;
  }
}

function read(key: string, method: AnyMethod): unknown[] {
  return (Reflect.getMetadata(key, method) as unknown[] | undefined) ?? [];
}
