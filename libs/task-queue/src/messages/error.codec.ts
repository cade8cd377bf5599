import { isError, TaskFailure } from '../errors/task-queue.errors.js';
import { classOf, moduleOf } from './error-classes.js';
import type { ErrorClass } from './error-classes.js';
import { encodeErrorData } from './error-data.codec.js';
import { DEFAULT_REPR_LENGTH, reprArgs, reprValue } from './repr.js';
import { maskUrlPasswords } from './secret-keys.util.js';

/** A failure in Celery's JSON shape; the fields after `exc_module` are ours. */
export interface EncodedError {
  /** What the error was made with; one message for an error of JavaScript. */
  readonly exc_message: readonly unknown[] | string;
  /** `builtins`, `nestjs-celery`, `js`, or a module of Python; `null` when nobody knows. */
  readonly exc_module: string | null;
  /** The name of the class. */
  readonly exc_type: string;
  readonly exc_cause?: EncodedError;
  /** The own fields of the error that are JSON, for example `code` and `status`. */
  readonly exc_data?: Readonly<Record<string, unknown>>;
  readonly exc_stack?: string;
}

/** The `exc_type` of anything thrown that is not an Error. */
export const NON_ERROR_THROWN = 'NonErrorThrown';

const MAX_CAUSES = 5;
const MAX_MESSAGE = 65_536;
const MAX_STACK = 32_768;
const NO_CLASSES: ReadonlyMap<string, ErrorClass> = new Map();

/**
 * Makes plain JSON of anything that a task threw. Never throws.
 *
 * Passwords in URLs are masked; messages are cut at 65,536 characters, stacks at 32,768, chains
 * of causes after the fifth. Something that is not an Error becomes a `NonErrorThrown` whose
 * message shows it.
 */
export function encodeError(thrown: unknown): EncodedError {
  try {
    return encodeLevel(thrown, 'task threw', MAX_CAUSES);
  } catch {
    return {
      exc_type: NON_ERROR_THROWN,
      exc_message: ['The task threw an object that cannot be read.'],
      exc_module: 'js',
    };
  }
}

/**
 * Rebuilds the error that `encodeError`, or Celery, has written. Never throws.
 *
 * The class is one of this library's, a built-in of JavaScript, or one of `knownClasses`, and
 * never found in any other way; its constructor is not called. An error of any other class, one
 * of Python's included, is a `TaskFailure` of that name, and so is malformed input.
 *
 * @param knownClasses - Error classes of the application by `exc_type`. Default: none.
 */
export function decodeError(
  json: unknown,
  knownClasses: ReadonlyMap<string, ErrorClass> = NO_CLASSES,
): Error {
  return decodeLevel(json, knownClasses, MAX_CAUSES);
}

function encodeLevel(thrown: unknown, origin: string, causesLeft: number): EncodedError {
  if (!isReadableError(thrown)) {
    return {
      exc_type: NON_ERROR_THROWN,
      exc_message: [`The ${origin} ${withArticle(thrown)}`],
      exc_module: 'js',
    };
  }
  const type = typeOf(thrown);
  const stack = read(thrown, 'stack');
  const data = encodeErrorData(thrown);
  const cause = read(thrown, 'cause');
  return {
    exc_type: type,
    exc_message: messageOf(thrown),
    exc_module: moduleOf(thrown, type),
    ...(typeof stack === 'string' && { exc_stack: shown(stack, MAX_STACK) }),
    ...(data !== undefined && { exc_data: data }),
    ...(cause !== undefined &&
      cause !== null &&
      causesLeft > 0 && { exc_cause: encodeLevel(cause, 'cause was', causesLeft - 1) }),
  };
}

function decodeLevel(
  json: unknown,
  knownClasses: ReadonlyMap<string, ErrorClass>,
  causesLeft: number,
): Error {
  const fault = faultOf(json);
  if (fault !== null) {
    return new TaskFailure(
      'TaskFailure',
      `The task failed, but its stored error cannot be read: ${fault}. ` +
        'Check the program that wrote the result.',
    );
  }
  const encoded = json as EncodedError;
  const module = encoded.exc_module ?? null;
  const args =
    typeof encoded.exc_message === 'string' ? [encoded.exc_message] : encoded.exc_message;
  const message = messageText(args);
  const errorClass = classOf(encoded.exc_type, module, knownClasses);
  const error =
    errorClass === undefined
      ? new TaskFailure(encoded.exc_type, message, args, module)
      : bareError(errorClass, encoded.exc_type, message);
  hide(error, 'stack', stackText(encoded, message));
  restoreData(error, encoded.exc_data);
  if (encoded.exc_cause !== undefined && encoded.exc_cause !== null && causesLeft > 0) {
    hide(error, 'cause', decodeLevel(encoded.exc_cause, knownClasses, causesLeft - 1));
  }
  return error;
}

/** An instance of a class without a call of its constructor, which may do anything. */
function bareError(errorClass: ErrorClass, type: string, message: string): Error {
  // A real Error under another prototype: it stays one for `util.inspect` and structured clones.
  const error = new Error(message);
  Object.setPrototypeOf(error, errorClass.prototype as object);
  if (read(error, 'name') !== type) hide(error, 'name', type);
  return error;
}

function restoreData(error: Error, data: unknown): void {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return;
  for (const [key, value] of Object.entries(data)) {
    // Whatever the class defines (methods, accessors, `constructor`, `__proto__`) stays its own.
    if (key in error || key === 'cause' || key === 'then' || key === 'toJSON') continue;
    Object.defineProperty(error, key, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
}

function faultOf(json: unknown): string | null {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return 'it is not an object';
  }
  const { exc_type: type, exc_message: message, exc_module: module } = json as EncodedError;
  if (typeof type !== 'string' || type === '') return "its field 'exc_type' is not a name";
  if (typeof message !== 'string' && !Array.isArray(message)) {
    return "its field 'exc_message' is neither a string nor an array";
  }
  if (module !== undefined && module !== null && typeof module !== 'string') {
    return "its field 'exc_module' is not a name";
  }
  return null;
}

function messageOf(error: Error): unknown[] {
  if (error instanceof TaskFailure && error.args.length > 0) {
    // On its way through a second task, an error of Python keeps the arguments it was made with.
    return error.args.map((arg) =>
      typeof arg === 'string' ? shown(arg, MAX_MESSAGE) : reprUnlessJson(arg),
    );
  }
  const message = read(error, 'message');
  const text = typeof message === 'string' ? message : reprValue(message);
  return text === '' ? [] : [shown(text, MAX_MESSAGE)];
}

function reprUnlessJson(value: unknown): unknown {
  const isJson = value === null || typeof value === 'boolean' || Number.isFinite(value);
  return isJson ? value : reprValue(value);
}

/** The text of Python's `str(error)`: of one argument itself, of several their tuple. */
function messageText(args: readonly unknown[]): string {
  if (args.length === 0) return '';
  if (args.length > 1) return reprArgs(args);
  return typeof args[0] === 'string' ? args[0] : reprValue(args[0]);
}

function stackText(encoded: EncodedError, message: string): string {
  if (typeof encoded.exc_stack === 'string') return encoded.exc_stack;
  return message === '' ? encoded.exc_type : `${encoded.exc_type}: ${message}`;
}

/** The name that the class or the error was given, else that of the class. */
function typeOf(error: Error): string {
  const prototype = Object.getPrototypeOf(error) as object | null;
  const isNamed =
    Object.hasOwn(error, 'name') || (prototype !== null && Object.hasOwn(prototype, 'name'));
  const constructor = read(error, 'constructor');
  const className = typeof constructor === 'function' ? read(constructor, 'name') : undefined;
  const names = isNamed ? [read(error, 'name'), className] : [className, read(error, 'name')];
  const name = names.find((item) => typeof item === 'string' && item !== '');
  return typeof name === 'string' ? name.slice(0, 200) : 'Error';
}

function withArticle(thrown: unknown): string {
  const text = reprValue(thrown, DEFAULT_REPR_LENGTH / 4);
  if (thrown === null || thrown === undefined) return `${String(thrown)}.`;
  if (Array.isArray(thrown)) return `an array: ${text}.`;
  return `${typeof thrown === 'object' ? 'an object' : `a ${typeof thrown}`}: ${text}.`;
}

function isReadableError(value: unknown): value is Error {
  try {
    // A DOMException (an AbortError) of another realm is no Error by class or by tag.
    return isError(value) || Object.prototype.toString.call(value) === '[object DOMException]';
  } catch {
    return false;
  }
}

/** A field that may be an accessor that throws. */
function read(owner: object, key: string): unknown {
  try {
    return (owner as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, configurable: true, writable: true });
}

function shown(text: string, maxLength: number): string {
  if (text.length <= maxLength) return maskUrlPasswords(text);
  return `${maskUrlPasswords(text.slice(0, maxLength))}... (${text.length} characters)`;
}
