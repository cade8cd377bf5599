import { types } from 'node:util';
import { EncodeError, isError } from '../errors/task-queue.errors.js';
import { reprValue } from './repr.js';
import {
  looksTyped,
  MAX_BIGINT_DIGITS,
  MAX_DEPTH,
  setOwn,
  TYPE_KEY,
  VALUE_KEY,
} from './typed-json.format.js';

/** A step of the path to a value: a key, an index, or a text made only when it is needed. */
type Segment = string | number | (() => string);

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
const MAX_PATH_LENGTH = 200;

/** Built-in objects whose content is out of reach for `Object.keys`, and what to pass instead. */
const OPAQUE: ReadonlyMap<string, string> = new Map([
  ['AbortController', 'leave it out: it has a meaning only in this process'],
  ['AbortSignal', 'leave it out: it has a meaning only in this process'],
  ['Array Iterator', 'pass an array: [...value]'],
  ['AsyncGenerator', 'collect its items into an array first'],
  ['Blob', 'pass its bytes: Buffer.from(await value.arrayBuffer())'],
  ['File', 'pass its bytes: Buffer.from(await value.arrayBuffer())'],
  ['FormData', 'pass an object: Object.fromEntries(value)'],
  ['Generator', 'pass an array: [...value]'],
  ['Headers', 'pass an object: Object.fromEntries(value)'],
  ['Map Iterator', 'pass an array: [...value]'],
  ['Request', 'pass the parts of it that the task needs'],
  ['Response', 'pass the parts of it that the task needs'],
  ['Set Iterator', 'pass an array: [...value]'],
  ['URLSearchParams', 'pass its text: value.toString()'],
]);

/**
 * Makes a tree of plain JSON values of any value, with typed values in kombu's format. One use
 * per instance.
 */
export class TypedJsonEncoder {
  /** Containers from the root to the current one, with the length of the path to each. */
  private readonly ancestors = new Map<object, number>();
  private readonly path: Segment[] = [];

  constructor(private readonly root: string) {}

  /** @throws EncodeError - Also for whatever a getter, a `toJSON` or a proxy throws. */
  encode(value: unknown): unknown {
    try {
      return this.visit(value);
    } catch (error) {
      if (error instanceof EncodeError) throw error;
      if (isStackOverflow(error)) return this.refuseDepth();
      const at = this.where();
      throw new EncodeError(
        `${at} cannot be encoded: reading it threw an error (see \`cause\`). ` +
          'Pass a plain copy of the data.',
        at,
        { cause: error },
      );
    }
  }

  private visit(value: unknown, useToJson = true): unknown {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value;
      case 'number':
        return encodeNumber(value);
      case 'bigint':
        return this.visitBigint(value);
      case 'undefined':
        return null;
      case 'object':
        return value === null ? null : this.visitObject(value, useToJson);
      case 'function':
        return this.refuse('a function', 'leave it out, or pass the name of a task');
      default:
        return this.refuse('a symbol', 'pass its description');
    }
  }

  private visitBigint(value: bigint): unknown {
    const digits = value.toString();
    if (digits.length > MAX_BIGINT_DIGITS) {
      return this.refuse(`a bigint of ${digits.length} digits`, 'pass it as a hexadecimal string');
    }
    return typed('bigint', digits);
  }

  private visitObject(value: object, useToJson: boolean): unknown {
    if (types.isDate(value)) {
      if (Number.isNaN(value.getTime())) {
        return this.refuse('an invalid Date', 'pass a valid Date, or null');
      }
      return typed('datetime', value.toISOString().replace('Z', '+00:00'));
    }
    if (types.isUint8Array(value)) {
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      return typed('base64', bytes.toString('base64'));
    }
    if (isUrl(value)) return typed('url', value.href);
    if (types.isBoxedPrimitive(value))
      return this.visit((value as { valueOf(): unknown }).valueOf());
    this.refuseBuiltIn(value);
    this.enter(value);
    const out = this.visitContainer(value, useToJson);
    this.ancestors.delete(value);
    return out;
  }

  private visitContainer(value: object, useToJson: boolean): unknown {
    if (types.isMap(value)) return typed('map', this.visitMap(value));
    if (types.isSet(value)) return typed('set', this.visitSet(value));
    // Before `toJSON`: that of an HTTP client's error holds the request, credentials included.
    if (isError(value)) return { name: text(value.name), message: text(value.message) };
    const toJson = (value as { toJSON?: unknown }).toJSON;
    if (useToJson && typeof toJson === 'function') {
      const replacement: unknown = toJson.call(value, this.lastKey());
      // As in JSON.stringify, what `toJSON` returns is not asked again.
      if (replacement !== value) return this.visit(replacement, false);
    }
    if (Array.isArray(value)) return this.visitArray(value);
    this.refuseLive(value);
    return this.visitRecord(value as Record<string, unknown>);
  }

  private visitArray(value: readonly unknown[]): unknown[] {
    const out: unknown[] = [];
    for (let i = 0; i < value.length; i++) out.push(this.at(i, value[i]));
    return out;
  }

  private visitMap(value: ReadonlyMap<unknown, unknown>): unknown[] {
    const out: unknown[] = [];
    for (const [key, item] of Map.prototype.entries.call(value)) {
      const index = out.length;
      const pair = [this.at(() => `.keys()[${index}]`, key), undefined as unknown];
      pair[1] = this.at(() => `.get(${reprValue(key, 40)})`, item);
      out.push(pair);
    }
    return out;
  }

  private visitSet(value: ReadonlySet<unknown>): unknown[] {
    const out: unknown[] = [];
    for (const item of Set.prototype.values.call(value)) {
      const index = out.length;
      out.push(this.at(() => `.values()[${index}]`, item));
    }
    return out;
  }

  private visitRecord(value: Record<string, unknown>): unknown {
    const out: Record<string, unknown> = {};
    for (const key of Object.keys(value)) {
      this.path.push(key);
      const item = value[key];
      if (item !== undefined) setOwn(out, key, this.visit(item));
      this.path.pop();
    }
    return looksTyped(Object.keys(out)) ? typed('object', Object.entries(out)) : out;
  }

  private at(segment: Segment, value: unknown): unknown {
    this.path.push(segment);
    const out = this.visit(value);
    this.path.pop();
    return out;
  }

  /** Notes that `container` is being visited: the guard against cycles and depth. */
  private enter(container: object): void {
    const seenAt = this.ancestors.get(container);
    if (seenAt !== undefined) {
      const target = this.where(seenAt);
      this.refuse(`a reference back to ${target}`, 'break the cycle, or pass an id instead');
    }
    if (this.ancestors.size >= MAX_DEPTH) this.refuseDepth();
    this.ancestors.set(container, this.path.length);
  }

  private refuseDepth(): never {
    this.refuse(`nested deeper than ${MAX_DEPTH} levels`, 'pass a flatter structure');
  }

  private refuseBuiltIn(value: object): void {
    if (types.isPromise(value)) this.refuse('a Promise', 'await it first');
    if (types.isRegExp(value)) this.refuse('a RegExp', 'pass its source and flags as strings');
    if (types.isAnyArrayBuffer(value)) {
      this.refuse('an ArrayBuffer', 'pass its bytes: Buffer.from(value)');
    }
    if (ArrayBuffer.isView(value)) {
      this.refuse(
        `a ${tagOf(value)}`,
        'pass its numbers as an array, Array.from(value), or its bytes, ' +
          'Buffer.from(value.buffer, value.byteOffset, value.byteLength)',
      );
    }
    if (types.isWeakMap(value) || types.isWeakSet(value) || tagOf(value) === 'WeakRef') {
      this.refuse(`a ${tagOf(value)}`, 'leave it out: it has a meaning only in this process');
    }
  }

  /** Objects that stand for something going on in this process rather than for data. */
  private refuseLive(value: object): void {
    const { then, pipe, getReader, getWriter } = value as Record<string, unknown>;
    if (typeof then === 'function') this.refuse('a promise-like object', 'await it first');
    if ([pipe, getReader, getWriter].some((method) => typeof method === 'function')) {
      this.refuse('a stream', 'pass a file name or an address, or read it into a Buffer first');
    }
    const tag = tagOf(value);
    const advice = OPAQUE.get(tag);
    if (advice !== undefined) this.refuse(/^[AEIO]/.test(tag) ? `an ${tag}` : `a ${tag}`, advice);
  }

  private refuse(kind: string, advice: string): never {
    const at = this.where();
    throw new EncodeError(
      `${at} is ${kind}, and a task message holds only data. To fix it, ${advice}.`,
      at,
    );
  }

  private lastKey(): string {
    const last = this.path.at(-1);
    return typeof last === 'string' || typeof last === 'number' ? String(last) : '';
  }

  private where(length = this.path.length): string {
    let out = this.root;
    for (const segment of this.path.slice(0, length)) {
      if (out.length > MAX_PATH_LENGTH) return `${out.slice(0, MAX_PATH_LENGTH)}...`;
      if (typeof segment === 'function') out += segment();
      else if (typeof segment === 'number') out += `[${segment}]`;
      else out += IDENTIFIER.test(segment) ? `.${segment}` : `[${JSON.stringify(segment)}]`;
    }
    return out;
  }
}

function typed(type: string, value: unknown): Record<string, unknown> {
  return { [TYPE_KEY]: type, [VALUE_KEY]: value };
}

function encodeNumber(value: number): unknown {
  if (Number.isFinite(value)) return Object.is(value, -0) ? typed('float', '-0.0') : value;
  if (Number.isNaN(value)) return typed('float', 'nan');
  return typed('float', value > 0 ? 'inf' : '-inf');
}

function isUrl(value: object): value is URL {
  // By tag: a test runner's sandbox has a URL class of its own.
  return value instanceof URL || (tagOf(value) === 'URL' && 'href' in value);
}

/** The stack may end before the limit does, when the caller is deep in it already. */
function isStackOverflow(error: unknown): boolean {
  return isError(error) && error.name === 'RangeError' && error.message.includes('call stack');
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
