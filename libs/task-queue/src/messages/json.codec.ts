import { DecodeError, EncodeError } from '../errors/task-queue.errors.js';
import type { Codec } from './codec.interface.js';
import { mayHoldTypedValues, reviveTypedValues } from './typed-json.decoder.js';
import { TypedJsonEncoder } from './typed-json.encoder.js';
import { MAX_DEPTH, OLD_BASE64_FLAG, OLD_UTF8_FLAG, TYPE_KEY } from './typed-json.format.js';

export const JSON_CONTENT_TYPE = 'application/json';

/**
 * Makes JSON of a value, with kombu's typed values for what JSON has no words for.
 *
 * - `Date`, `bigint`, `Map`, `Set`, `URL`, `NaN`, the infinities and `-0` come back as they were;
 *   `Buffer` and `Uint8Array` come back as `Buffer`.
 * - `undefined` is `null` at the top and in arrays, maps and sets, and is dropped from objects.
 * - An `Error` becomes `{ name, message }`. Any other object with a `toJSON` method becomes what
 *   that returns; any other class instance becomes a plain object of its own enumerable fields.
 * - A plain object may have any keys: one that looks like a typed value comes back unchanged.
 *
 * @param path - What the value is called in error messages. Default `args`.
 * @throws EncodeError - A function, symbol, promise, stream, typed array other than `Uint8Array`,
 * invalid `Date`, a cycle, or nesting deeper than 1,000 levels; `path` of the error says where.
 */
export function encodeJson(value: unknown, path = 'args'): string {
  if (value === undefined) return 'null';
  try {
    // The usual case: nothing but plain JSON, which the engine writes fastest.
    if (isPlainJson(value, 0)) return JSON.stringify(value);
  } catch {
    // A getter or a proxy threw; the encoder below finds out where.
  }
  const tree = new TypedJsonEncoder(path).encode(value);
  try {
    return JSON.stringify(tree);
  } catch (error) {
    throw new EncodeError(
      `${path} cannot be encoded: it is too large or too deep for JSON. Pass less data, or a ` +
        'reference to where the data is stored.',
      path,
      { cause: error },
    );
  }
}

/**
 * Reads a JSON text with kombu's typed values, those of other producers included (the table is
 * in `typed-json.format.ts`).
 *
 * Nothing is evaluated, and no prototype is ever changed: a key `__proto__` becomes an inert own
 * property. An unknown `__type__` leaves the plain object as it is.
 *
 * @throws DecodeError - The text is not JSON, a typed value is malformed, or the nesting is
 * deeper than 3,010 levels. The message never quotes the text.
 */
export function decodeJson(text: string): unknown {
  const value = parseJson(text, 'The text');
  if (!mayHoldTypedValues(text)) return value;
  try {
    return reviveTypedValues(value);
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    // The stack may end before the limit of depth does, when the caller is deep in it already.
    throw new DecodeError('The JSON is nested too deeply; send a flatter structure.');
  }
}

/** The default codec: `json`, `application/json`. */
export const jsonCodec: Codec = {
  name: 'json',
  contentType: JSON_CONTENT_TYPE,
  decode: decodeJson,
  encode: encodeJson,
};

/**
 * `JSON.parse` with an error that does not quote the text.
 *
 * @param what - Subject of the error sentence, for example `The message`.
 * @throws DecodeError - Gives the length and, where the engine tells it, the position.
 */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // Not kept as `cause`: the engine's message quotes the text.
    const position = / at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(String(error))?.[1];
    const where = position === undefined ? '' : `, first offending position ${position}`;
    throw new DecodeError(
      `${what} is not valid JSON (${text.length} characters${where}). ` +
        'Check the program that wrote it.',
    );
  }
}

/** Whether `JSON.stringify` alone keeps everything: a read-only pass that builds nothing. */
function isPlainJson(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true;
    case 'number':
      // Subtracting tells NaN and the infinities from numbers; dividing tells -0 from 0.
      return value - value === 0 && (value !== 0 || 1 / value > 0);
    case 'object':
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth >= MAX_DEPTH) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (Array.isArray(value)) {
    if (prototype !== Array.prototype) return false;
    for (let i = 0; i < value.length; i++) {
      if (!isPlainJson(value[i], depth + 1)) return false;
    }
    return true;
  }
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) {
    // 95 is an underscore: only then is it worth comparing.
    if (key.charCodeAt(0) === 95 && isMarker(key)) return false;
    if (!isPlainJson((value as Record<string, unknown>)[key], depth + 1)) return false;
  }
  return true;
}

function isMarker(key: string): boolean {
  return key === TYPE_KEY || key === OLD_UTF8_FLAG || key === OLD_BASE64_FLAG;
}
