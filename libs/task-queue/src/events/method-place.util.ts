import { ImproperlyConfigured } from '../errors/task-queue.errors.js';

/** Any method of a class. */
export type AnyMethod = (...args: any[]) => unknown;

/**
 * Checks that a decorator stands on a method that an instance can be called with.
 *
 * @returns Where it stands, for messages: `Audit.failed`.
 * @throws ImproperlyConfigured when it stands on something else.
 */
export function assertListenerMethod(
  decorator: string,
  target: object,
  key: string | symbol,
  descriptor: PropertyDescriptor | undefined,
): string {
  const owner = typeof target === 'function' ? target : target.constructor;
  const place = `${owner.name || 'an unnamed class'}.${String(key)}`;
  const found =
    typeof target === 'function'
      ? 'a static method'
      : typeof key === 'symbol'
        ? 'a method with a symbol for its name'
        : typeof descriptor?.value !== 'function'
          ? 'a property or an accessor'
          : undefined;
  if (found) {
    throw new ImproperlyConfigured(
      `@${decorator} cannot stand on ${place}, which is ${found}. Put it on an ordinary method ` +
        'of a provider.',
    );
  }
  return place;
}

/** Adds to the list that a method has under `key`; decorators may be stacked. */
export function addMethodMetadata(key: string, method: AnyMethod, entry: unknown): void {
  // Decorators are applied from the last to the first; the list has them as they are written.
  const entries = (Reflect.getOwnMetadata(key, method) ?? []) as unknown[];
  Reflect.defineMetadata(key, Object.freeze([entry, ...entries]), method);
}
