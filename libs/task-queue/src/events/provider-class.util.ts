import type { Type } from '@nestjs/common';
import type { InstanceWrapper } from '@nestjs/core/internal';

/** Whether Nest makes the real instance for every call or for every consumer. */
export function isPlaceholder(wrapper: InstanceWrapper): boolean {
  return wrapper.isTransient || !wrapper.isDependencyTreeStatic();
}

/**
 * The class whose methods the provider has, if any: of class providers, values and what factories
 * return; of a factory that runs for every request, the class that is its token.
 */
export function classOf(wrapper: InstanceWrapper): Type | undefined {
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
