import * as libraryErrors from '../../errors/task-queue.errors.js';
import {
  decodeError,
  decodeJson,
  encodeError,
  encodeJson,
  type EncodedError,
  type ErrorClass,
} from '../../messages/index.js';
import { classOf } from '../../messages/error-classes.js';

/** Something thrown, on its way between a child and its pool. */
export interface EncodedThrown {
  readonly error: EncodedError;
  /** The classes that it is of, nearest first: name and module. */
  readonly ancestors: readonly (readonly [string, string])[];
  /** Of what a task tells the worker, every field, hidden ones too. */
  readonly fields?: readonly EncodedField[];
}

interface EncodedField {
  readonly key: string;
  readonly isHidden: boolean;
  /** The value as JSON of the codec, or an error. */
  readonly value: string | EncodedThrown;
}

/** Kept in the encoded error. */
const OWN_PLACE: ReadonlySet<string> = new Set(['cause', 'message', 'name', 'stack']);
const MAX_LEVELS = 3;

/** Makes what a task threw ready to be sent. Never throws. */
export function encodeThrown(thrown: unknown, levels = MAX_LEVELS): EncodedThrown {
  const encoded = { error: encodeError(thrown), ancestors: ancestorsOf(thrown) };
  return thrown instanceof libraryErrors.ControlFlow && levels > 0
    ? { ...encoded, fields: fieldsOf(thrown, levels - 1) }
    : encoded;
}

/**
 * Rebuilds it. An error of an unknown class is one of its nearest class that is known here, so
 * that lists such as `throws` and `autoretryFor` recognise it; its name is that of its own class.
 */
export function decodeThrown(
  { error, ancestors, fields = [] }: EncodedThrown,
  knownClasses: ReadonlyMap<string, ErrorClass>,
): Error {
  const type = error.exc_type;
  let classes = knownClasses;
  if (error.exc_module === 'js' && !knownClasses.has(type)) {
    for (const [name, module] of ancestors) {
      const known = classOf(name, module, knownClasses);
      if (known) {
        classes = new Map(knownClasses).set(type, known);
        break;
      }
    }
  }
  const decoded = decodeError(error, classes);
  for (const { key, isHidden, value } of fields) {
    Object.defineProperty(decoded, key, {
      value: typeof value === 'string' ? decodeJson(value) : decodeThrown(value, knownClasses),
      configurable: true,
      enumerable: !isHidden,
      writable: true,
    });
  }
  return decoded;
}

/** The fields of an instruction to the worker: none may be cut, redacted or changed in type. */
function fieldsOf(thrown: object, levels: number): EncodedField[] {
  const fields: EncodedField[] = [];
  for (const [key, { value, enumerable }] of Object.entries(
    Object.getOwnPropertyDescriptors(thrown) as Record<string, PropertyDescriptor>,
  )) {
    if (OWN_PLACE.has(key) || value === undefined) {
      continue;
    }
    const isHidden = enumerable !== true;
    if (libraryErrors.isError(value)) {
      fields.push({ key, isHidden, value: encodeThrown(value, levels) });
      continue;
    }
    try {
      fields.push({ key, isHidden, value: encodeJson(value, key) });
    } catch {
      // What cannot leave the process (a function, a socket) cannot instruct another one.
    }
  }
  return fields;
}

function ancestorsOf(thrown: unknown): [string, string][] {
  if (!libraryErrors.isError(thrown)) {
    return [];
  }
  const chain: [string, string][] = [];
  let prototype = Object.getPrototypeOf(thrown) as object | null;
  while (prototype !== null && prototype !== Object.prototype) {
    const cls: unknown = Object.hasOwn(prototype, 'constructor') ? prototype.constructor : null;
    if (typeof cls === 'function' && cls.name !== '') {
      chain.push([cls.name, moduleOfClass(cls)]);
    }
    prototype = Object.getPrototypeOf(prototype) as object | null;
  }
  return chain;
}

function moduleOfClass(cls: { readonly name: string }): string {
  if ((libraryErrors as Record<string, unknown>)[cls.name] === cls) {
    return 'nestjs-celery';
  }
  return (globalThis as Record<string, unknown>)[cls.name] === cls ? 'builtins' : 'js';
}
