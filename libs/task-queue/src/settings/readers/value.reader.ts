import { nearestName } from '../nearest-name.util.js';
import { camelName, snakeName } from '../setting-names.util.js';
import type { DictShape, Reading, ValueSpec } from '../setting-definition.interface.js';
import { describeValue } from '../value.describer.js';
import { DURATION_FORM, readDuration } from './duration.reader.js';

const TRUE = new Set(['true', '1', 'yes', 'on']);
const FALSE = new Set(['false', '0', 'no', 'off']);
const NULL = new Set(['null', 'none']);

/**
 * Reads one value by its spec. Strings are parsed by the type, so that a value from the
 * environment means the same as one from code. A `problem` continues a sentence that begins
 * with the name of the setting and its value.
 */
export function readValue(spec: ValueSpec, raw: unknown): Reading {
  if (raw === null || (typeof raw === 'string' && isNull(spec, raw))) {
    return isNullable(spec)
      ? { value: null }
      : { problem: `may not be null: leave it out to get the default, or write ${form(spec)}.` };
  }
  const reading = spec.read === undefined ? readByType(spec, raw) : spec.read(raw);
  return 'value' in reading && spec.zeroIsNull === true && reading.value === 0
    ? { value: null }
    : reading;
}

/** Whether the setting may be `null`. */
export function isNullable(spec: ValueSpec): boolean {
  return spec.nullable === true || spec.default === null;
}

function isNull(spec: ValueSpec, raw: string): boolean {
  return isNullable(spec) && NULL.has(raw.trim().toLowerCase());
}

function readByType(spec: ValueSpec, raw: unknown): Reading {
  switch (spec.type) {
    case 'boolean':
      return readBoolean(spec, raw);
    case 'integer':
    case 'number':
    case 'duration':
      return readNumber(spec, raw);
    case 'enum':
      return readChoice(spec, raw);
    case 'list':
      return readNameList(raw);
    case 'dict':
      return spec.shape === undefined ? readDict(raw) : readShape(spec.shape, raw);
    case 'string':
      return typeof raw === 'string' ? { value: raw.trim() } : wrong(spec);
    default:
      return { value: raw };
  }
}

function wrong(spec: ValueSpec): Reading {
  return { problem: `is not ${form(spec)}.` };
}

/** The expected form in words. */
function form(spec: ValueSpec): string {
  switch (spec.type) {
    case 'boolean':
      return 'a boolean: write true or false';
    case 'integer':
      return `a whole number${range(spec)}: write digits only`;
    case 'number':
      return `a number${range(spec)}: write digits, with a point if need be`;
    case 'duration':
      return `a duration${range(spec)}: write ${DURATION_FORM}`;
    case 'enum':
      return `one of its values: write ${oneOf(spec.choices ?? [])}`;
    case 'list':
      return 'a list of strings: write an array, or the items separated by commas';
    case 'dict':
      return 'a dict: write an object, or JSON in a string';
    case 'string':
      return 'a string';
    default:
      return 'a value';
  }
}

/** The allowed range in words; empty without one. */
export function range({ min, max }: ValueSpec): string {
  if (min !== undefined && max !== undefined) {
    return ` from ${min} to ${max}`;
  }
  return min === undefined ? (max === undefined ? '' : ` up to ${max}`) : ` of at least ${min}`;
}

/** `'a', 'b' or 'c'`. */
export function oneOf(names: readonly string[]): string {
  const quoted = names.map((name) => `'${name}'`);
  return quoted.length < 2
    ? quoted.join('')
    : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)!}`;
}

function readBoolean(spec: ValueSpec, raw: unknown): Reading {
  if (typeof raw === 'boolean') {
    return { value: raw };
  }
  const text = typeof raw === 'string' || typeof raw === 'number' ? `${raw}`.trim() : '';
  if (TRUE.has(text.toLowerCase())) {
    return { value: true };
  }
  return FALSE.has(text.toLowerCase()) ? { value: false } : wrong(spec);
}

function readNumber(spec: ValueSpec, raw: unknown): Reading {
  const value = spec.type === 'duration' ? readDuration(raw) : readPlainNumber(raw);
  const { min = -Infinity, max = Infinity } = spec;
  return value === undefined ||
    value < min ||
    value > max ||
    (spec.type === 'integer' && !Number.isSafeInteger(value))
    ? wrong(spec)
    : { value };
}

function readPlainNumber(raw: unknown): number | undefined {
  const value =
    typeof raw === 'string' && /^\s*[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?\s*$/i.test(raw)
      ? Number(raw)
      : raw;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function readChoice(spec: ValueSpec, raw: unknown): Reading {
  if (typeof raw !== 'string') {
    return wrong(spec);
  }
  const text = raw.trim().toLowerCase();
  const value = spec.choiceAliases?.[text] ?? text;
  return spec.choices?.includes(value) === true ? { value } : wrong(spec);
}

/** A list of non-empty strings: an array, JSON, or items separated by commas. */
export function readNameList(raw: unknown): Reading {
  const items = listItems(raw);
  return items === undefined || !items.every((item) => typeof item === 'string' && item !== '')
    ? { problem: `is not ${form({ type: 'list', default: [] })}.` }
    : { value: Object.freeze(items) };
}

/** The items of whatever is written for a list, or `undefined` when it is none. */
export function listItems(raw: unknown): unknown[] | undefined {
  if (typeof raw === 'string') {
    const text = raw.trim();
    if (text.startsWith('[')) {
      const parsed = parseJson(text);
      return Array.isArray(parsed) ? listItems(parsed) : undefined;
    }
    return text === '' ? [] : text.split(',').map((item) => item.trim());
  }
  if (Array.isArray(raw) || Object.prototype.toString.call(raw) === '[object Set]') {
    return [...(raw as Iterable<unknown>)].map((item) =>
      typeof item === 'string' ? item.trim() : item,
    );
  }
  return undefined;
}

/** A plain object: given as such or as JSON. `undefined` when it is none. */
export function dictOf(raw: unknown): Record<string, unknown> | undefined {
  const value = typeof raw === 'string' ? parseJson(raw) : raw;
  return Object.prototype.toString.call(value) === '[object Object]'
    ? (value as Record<string, unknown>)
    : undefined;
}

/** The parsed JSON, or `undefined`. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function readDict(raw: unknown): Reading {
  const dict = dictOf(raw);
  return dict === undefined
    ? { problem: `is not ${form({ type: 'dict', default: {} })}.` }
    : { value: Object.freeze({ ...dict }) };
}

function readShape(shape: DictShape, raw: unknown): Reading {
  const dict = readDict(raw);
  if ('problem' in dict) {
    return dict;
  }
  const read = new Map<string, unknown>();
  for (const field of shape.fields) {
    if (field.default !== undefined) {
      read.set(camelName(field.name), field.default);
    }
  }
  for (const [key, value] of Object.entries(dict.value as object)) {
    const name = snakeName(key);
    const field = shape.fields.find((each) => each.name === name);
    if (field === undefined) {
      if (Object.hasOwn(shape.ignored ?? {}, name)) {
        continue;
      }
      return { problem: unknownKey(shape, key, name) };
    }
    if (value === undefined) {
      continue;
    }
    const reading = readValue(field, value);
    if ('problem' in reading) {
      return { problem: `has a wrong value: ${key}=${describeValue(value)} ${reading.problem}` };
    }
    read.set(camelName(field.name), reading.value);
  }
  return { value: Object.freeze(Object.fromEntries(read)) };
}

function unknownKey(shape: DictShape, key: string, name: string): string {
  const known = shape.fields.map((field) => field.name);
  const nearest = nearestName(name, known);
  const hint = nearest === undefined ? '' : ` Did you mean '${nearest}'?`;
  return `has the unknown key '${key}'.${hint} Known keys: ${known.join(', ')}.`;
}
