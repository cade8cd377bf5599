import { DecodeError } from '../errors/task-queue.errors.js';
import { parseIsoDate } from './iso-date.util.js';
import {
  MAX_BIGINT_DIGITS,
  MAX_TEXT_DEPTH,
  OLD_BASE64_FLAG,
  OLD_BYTES_KEY,
  OLD_UTF8_FLAG,
  setOwn,
  TYPE_KEY,
  VALUE_KEY,
} from './typed-json.format.js';

interface Reader {
  /** What a well-formed value is, for the error message. */
  readonly expects: string;
  /** The value, or `undefined` when `value` is malformed. */
  read(value: unknown): unknown;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const DECIMAL = /^-?(?:\d[\d_]*\.?\d*(?:e[+-]?\d+)?|s?nan\d*|inf(?:inity)?)$/i;
const TIME = /^\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:Z|[+-]\d\d:?\d\d(?::\d\d(?:\.\d+)?)?)?$/;
const UUID_HEX = /^[0-9a-f]{32}$/i;

const FLOATS: ReadonlyMap<unknown, number> = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['-0.0', -0],
]);

/** Every kind that is read; any other `__type__` leaves the plain object as it is. */
const READERS: ReadonlyMap<unknown, Reader> = new Map<unknown, Reader>([
  ['base64', { expects: 'a base64 string', read: readBase64 }],
  ['bigint', { expects: `a string of up to ${MAX_BIGINT_DIGITS} digits`, read: readBigint }],
  ['bytes', { expects: 'a string', read: readUtf8 }],
  ['date', { expects: 'an ISO-8601 date', read: readDate }],
  ['datetime', { expects: 'an ISO-8601 date-time', read: readDate }],
  ['decimal', { expects: 'a decimal number in a string', read: readMatching(DECIMAL) }],
  ['float', { expects: "'nan', 'inf', '-inf' or '-0.0'", read: (value) => FLOATS.get(value) }],
  ['map', { expects: 'an array of [key, value] pairs', read: readMap }],
  ['object', { expects: 'an array of [string, value] pairs', read: readObject }],
  ['set', { expects: 'an array', read: (v) => (Array.isArray(v) ? new Set(v) : undefined) }],
  ['time', { expects: 'an ISO-8601 time', read: readMatching(TIME) }],
  ['url', { expects: 'an absolute URL', read: readUrl }],
  ['uuid', { expects: 'an object with 32 hexadecimal digits in `hex`', read: readUuid }],
]);

/** Whether a JSON text may hold typed values at all. False positives are harmless. */
export function mayHoldTypedValues(text: string): boolean {
  return (
    text.includes('"__') &&
    (text.includes(`"${TYPE_KEY}"`) ||
      text.includes(`"${OLD_UTF8_FLAG}"`) ||
      text.includes(`"${OLD_BASE64_FLAG}"`))
  );
}

/**
 * Replaces the typed values in a tree made by `JSON.parse`, innermost first, in place.
 *
 * @throws DecodeError - A typed value of a known kind is malformed, or the tree is deeper than
 * 3,010 levels.
 */
export function reviveTypedValues(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_TEXT_DEPTH) {
    throw new DecodeError(
      `The JSON is nested deeper than ${MAX_TEXT_DEPTH} levels; send a flatter structure.`,
    );
  }
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      if (typeof item === 'object' && item !== null) value[i] = reviveTypedValues(item, depth + 1);
    }
    return value;
  }
  const record = value as Record<string, unknown>;
  const keys = Object.keys(record);
  for (const key of keys) {
    const item = record[key];
    if (typeof item !== 'object' || item === null) continue;
    const revived = reviveTypedValues(item, depth + 1);
    if (revived !== item) setOwn(record, key, revived);
  }
  return keys.length === 2 ? readTyped(record) : record;
}

function readTyped(record: Record<string, unknown>): unknown {
  if (Object.hasOwn(record, TYPE_KEY) && Object.hasOwn(record, VALUE_KEY)) {
    return readKind(record[TYPE_KEY], record[VALUE_KEY], record);
  }
  if (Object.hasOwn(record, OLD_BYTES_KEY)) {
    const bytes = record[OLD_BYTES_KEY];
    if (isTrue(record, OLD_BASE64_FLAG)) return readKind('base64', bytes, record);
    if (isTrue(record, OLD_UTF8_FLAG)) return readKind('bytes', bytes, record);
  }
  return record;
}

function readKind(kind: unknown, value: unknown, unknownKind: unknown): unknown {
  const reader = READERS.get(kind);
  if (reader === undefined) return unknownKind;
  const out = reader.read(value);
  if (out === undefined) {
    throw new DecodeError(
      `A typed value of the kind '${String(kind)}' is malformed: it must be ${reader.expects}. ` +
        'Correct the program that sends it.',
    );
  }
  return out;
}

function isTrue(record: Record<string, unknown>, key: string): boolean {
  return Object.hasOwn(record, key) && record[key] === true;
}

function readBase64(value: unknown): Buffer | undefined {
  return typeof value === 'string' && BASE64.test(value) ? Buffer.from(value, 'base64') : undefined;
}

function readBigint(value: unknown): bigint | undefined {
  if (typeof value !== 'string' || value.length > MAX_BIGINT_DIGITS) return undefined;
  return /^-?\d+$/.test(value) ? BigInt(value) : undefined;
}

function readUtf8(value: unknown): Buffer | undefined {
  return typeof value === 'string' ? Buffer.from(value, 'utf8') : undefined;
}

function readDate(value: unknown): Date | undefined {
  return typeof value === 'string' ? (parseIsoDate(value) ?? undefined) : undefined;
}

function readMatching(pattern: RegExp): (value: unknown) => string | undefined {
  return (value) => (typeof value === 'string' && pattern.test(value) ? value : undefined);
}

function readMap(value: unknown): Map<unknown, unknown> | undefined {
  if (!Array.isArray(value) || !value.every(isPair)) return undefined;
  return new Map(value);
}

function readObject(value: unknown): Record<string, unknown> | undefined {
  if (!Array.isArray(value)) return undefined;
  const out: Record<string, unknown> = {};
  for (const pair of value) {
    if (!isPair(pair) || typeof pair[0] !== 'string') return undefined;
    setOwn(out, pair[0], pair[1]);
  }
  return out;
}

function readUrl(value: unknown): URL | undefined {
  return typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
}

function readUuid(value: unknown): string | undefined {
  const hex: unknown =
    typeof value === 'object' && value !== null ? (value as { hex?: unknown }).hex : undefined;
  if (typeof hex !== 'string' || !UUID_HEX.test(hex)) return undefined;
  return hex.toLowerCase().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function isPair(value: unknown): value is [unknown, unknown] {
  return Array.isArray(value) && value.length === 2;
}
