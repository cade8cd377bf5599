import * as libraryErrors from '../errors/task-queue.errors.js';

/** Any class of errors, whatever its constructor takes. */
export type ErrorClass = abstract new (...args: any[]) => Error;

/** The `exc_module` of the built-in errors; Python's are in a module of that name too. */
const BUILTIN_MODULE = 'builtins';
/** The `exc_module` of the errors of this library. */
const LIBRARY_MODULE = 'nestjs-celery';
/** The `exc_module` of all others. */
const OTHER_MODULE = 'js';

/** Where Celery keeps the errors that have the same names here. */
const CELERY_MODULES: ReadonlySet<string> = new Set([
  LIBRARY_MODULE,
  'billiard.exceptions',
  'celery.exceptions',
  'kombu.exceptions',
]);

const BUILTIN_CLASSES: ReadonlyMap<string, ErrorClass> = new Map<string, ErrorClass>([
  ['AggregateError', AggregateError],
  ['Error', Error],
  ['EvalError', EvalError],
  ['RangeError', RangeError],
  ['ReferenceError', ReferenceError],
  ['SyntaxError', SyntaxError],
  ['TypeError', TypeError],
  ['URIError', URIError],
]);

// A TaskFailure stands for other classes and is built by its constructor.
const LIBRARY_CLASSES: ReadonlyMap<string, ErrorClass> = new Map(
  Object.entries(libraryErrors).filter(
    (entry): entry is [string, ErrorClass & (typeof entry)[1]] =>
      isErrorClass(entry[1]) && entry[0] !== 'TaskFailure',
  ),
);

/** The class to rebuild an error with, or `undefined` when it is not known here. */
export function classOf(
  type: string,
  module: string | null,
  knownClasses: ReadonlyMap<string, ErrorClass>,
): ErrorClass | undefined {
  if (module !== null && CELERY_MODULES.has(module)) {
    const found = LIBRARY_CLASSES.get(type);
    if (found !== undefined) return found;
  }
  const known = knownClasses.get(type);
  if (known !== undefined && isErrorClass(known)) return known;
  return module === BUILTIN_MODULE || module === null ? BUILTIN_CLASSES.get(type) : undefined;
}

/** The `exc_module` of an error whose `exc_type` is `type`. */
export function moduleOf(error: Error, type: string): string {
  if (error instanceof libraryErrors.TaskFailure) return error.module ?? OTHER_MODULE;
  if (error instanceof libraryErrors.TaskQueueError && LIBRARY_CLASSES.has(type)) {
    return LIBRARY_MODULE;
  }
  // By name: a built-in error of another realm is of another class.
  return BUILTIN_CLASSES.has(type) && constructorName(error) === type
    ? BUILTIN_MODULE
    : OTHER_MODULE;
}

function constructorName(error: Error): unknown {
  const prototype = Object.getPrototypeOf(error) as { constructor?: { name?: unknown } } | null;
  return prototype?.constructor?.name;
}

function isErrorClass(value: unknown): value is ErrorClass {
  return typeof value === 'function' && (value === Error || value.prototype instanceof Error);
}
