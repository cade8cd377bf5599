import { types } from 'node:util';
import type { SecretMatcher } from './secret-keys.util.js';
import { isSecretKey, MASK_WINDOW, maskUrlPasswords, REDACTED } from './secret-keys.util.js';

/** Longest representation in UTF-16 units; Celery's `argsrepr` is cut at the same length. */
export const DEFAULT_REPR_LENGTH = 1_024;

const MAX_LEVELS = 5;
const MAX_ITEMS = 100;
const ELLIPSIS = '...';
const HUGE = 10n ** 1_000n;

// The accessors themselves: those of the value may have been replaced.
const byteLength = getterOf(Object.getPrototypeOf(Uint8Array.prototype) as object, 'byteLength');
const domExceptionMessage = getterOf(DOMException.prototype, 'message');
const domExceptionName = getterOf(DOMException.prototype, 'name');
const mapSize = getterOf(Map.prototype, 'size');
const setSize = getterOf(Set.prototype, 'size');
const urlHref = getterOf(URL.prototype, 'href');

/**
 * A short representation of any value for log lines and `argsrepr`, in Python's style:
 * `{'x': [1, 'a']}`. `null` and `undefined` are both `null`, which is what a message makes of them.
 *
 * Runs no code of the value (no getter, `toJSON`, `toString` or proxy trap) and never throws.
 * Values under keys that look secret are shown as `********`, passwords in URLs too. Levels below
 * the fifth and items after the hundredth are shown as `...`.
 *
 * @param maxLength - Longest result; what is longer is cut and ends in `...`. Default 1,024.
 * @param isSecret - Which keys are secret. Default: `DEFAULT_SECRET_KEYS`.
 */
export function reprValue(
  value: unknown,
  maxLength: number = DEFAULT_REPR_LENGTH,
  isSecret: SecretMatcher = isSecretKey,
): string {
  return render(maxLength, isSecret, (writer) => writer.value(value));
}

/** Positional arguments as a tuple: `(2, 3)`, `(2,)`, `()`. Otherwise as `reprValue`. */
export function reprArgs(
  args: readonly unknown[],
  maxLength: number = DEFAULT_REPR_LENGTH,
  isSecret: SecretMatcher = isSecretKey,
): string {
  return render(maxLength, isSecret, (writer) => writer.tuple(args));
}

/** Keyword arguments: `{'x': 2}`, `{}`. Otherwise as `reprValue`. */
export function reprKwargs(
  kwargs: Readonly<Record<string, unknown>>,
  maxLength: number = DEFAULT_REPR_LENGTH,
  isSecret: SecretMatcher = isSecretKey,
): string {
  return reprValue(kwargs, maxLength, isSecret);
}

function render(
  maxLength: number,
  isSecret: SecretMatcher,
  write: (writer: ReprWriter) => void,
): string {
  const writer = new ReprWriter(maxLength, isSecret);
  try {
    write(writer);
  } catch {
    return cut('<no representation>', maxLength);
  }
  return cut(writer.text, maxLength);
}

function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  const kept = text.slice(0, Math.max(0, maxLength - ELLIPSIS.length));
  return (kept.replace(/[\uD800-\uDBFF]$/, '') + ELLIPSIS).slice(0, maxLength);
}

/** Writes until there is more text than wanted; `cut` does the rest. */
class ReprWriter {
  text = '';
  private readonly open: object[] = [];

  constructor(
    private readonly maxLength: number,
    private readonly isSecret: SecretMatcher,
  ) {}

  value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.text += this.quoted(value);
        break;
      case 'number':
        this.text += Object.is(value, -0) ? '-0' : String(value);
        break;
      case 'bigint':
        this.text += this.bigint(value);
        break;
      case 'boolean':
        this.text += String(value);
        break;
      case 'symbol':
        this.text += `Symbol(${escapeText(this.short(value.description ?? ''))})`;
        break;
      case 'function':
        this.text += this.functionText(value);
        break;
      case 'undefined':
        this.text += 'null';
        break;
      case 'object':
        if (value === null) this.text += 'null';
        else this.object(value);
    }
  }

  tuple(args: readonly unknown[]): void {
    if (types.isProxy(args)) {
      this.text += '<Proxy>';
      return;
    }
    this.items('(', args.length === 1 ? ',)' : ')', args.length, (i) => {
      this.property(args, String(i));
    });
  }

  private object(value: object): void {
    if (types.isProxy(value)) this.text += '<Proxy>';
    else if (Array.isArray(value) || prototypeOf(value) === Object.prototype) this.container(value);
    else if (types.isDate(value)) this.text += dateText(value);
    else if (types.isRegExp(value)) this.text += '<RegExp>';
    else if (types.isPromise(value)) this.text += '<Promise>';
    else if (types.isBoxedPrimitive(value)) this.text += `<${className(value) ?? 'Object'}>`;
    else if (types.isTypedArray(value)) this.text += bytesText(value);
    else if (types.isAnyArrayBuffer(value)) this.text += '<ArrayBuffer>';
    else if (types.isDataView(value)) this.text += '<DataView>';
    else if (inherits(value, DOMException.prototype)) this.domException(value);
    else if (types.isNativeError(value) || inherits(value, Error.prototype)) this.error(value);
    else if (inherits(value, URL.prototype)) this.url(value);
    else this.container(value);
  }

  private container(value: object): void {
    const brackets = bracketsOf(value);
    if (this.open.includes(value) || this.open.length >= MAX_LEVELS) {
      this.text += `${brackets[0]}...${brackets[1]}`;
      return;
    }
    this.open.push(value);
    if (Array.isArray(value)) {
      this.items(...brackets, value.length, (i) => this.property(value, String(i)));
    } else if (types.isMap(value)) {
      this.map(value, brackets);
    } else if (types.isSet(value)) {
      const items = Set.prototype.values.call(value);
      this.items(...brackets, setSize(value) as number, () => this.value(items.next().value));
    } else {
      const keys = Object.keys(value);
      this.items(...brackets, keys.length, (i) => {
        const key = keys[i] ?? '';
        this.text += `${this.quoted(key)}: `;
        if (this.isSecret(key)) this.text += `'${REDACTED}'`;
        else this.property(value, key);
      });
    }
    this.open.pop();
  }

  private map(value: ReadonlyMap<unknown, unknown>, brackets: [string, string]): void {
    const entries = Map.prototype.entries.call(value);
    this.items(...brackets, mapSize(value) as number, () => {
      const [key, item] = entries.next().value as [unknown, unknown];
      this.value(key);
      this.text += ': ';
      if (typeof key === 'string' && this.isSecret(key)) this.text += `'${REDACTED}'`;
      else this.value(item);
    });
  }

  private items(start: string, end: string, count: number, write: (index: number) => void): void {
    this.text += start;
    for (let i = 0; i < count; i++) {
      if (i > 0) this.text += ', ';
      if (this.text.length > this.maxLength) return;
      if (i === MAX_ITEMS) {
        this.text += ELLIPSIS;
        break;
      }
      write(i);
    }
    this.text += end;
  }

  private property(owner: object, key: string): void {
    const descriptor = Object.getOwnPropertyDescriptor(owner, key);
    if (descriptor !== undefined && !('value' in descriptor)) this.text += '<getter>';
    else this.value(descriptor?.value);
  }

  private error(value: object): void {
    const name = dataText(value, 'name');
    const constructorName = className(value);
    const shown = name === undefined || name === 'Error' ? (constructorName ?? 'Error') : name;
    const message = dataText(value, 'message') ?? '';
    this.errorText(shown, message);
  }

  /** An AbortError or a TimeoutError of the platform, for example; its fields are accessors. */
  private domException(value: object): void {
    this.errorText(domExceptionName(value) as string, domExceptionMessage(value) as string);
  }

  private errorText(name: string, message: string): void {
    this.text += `${escapeText(this.short(name))}(${message === '' ? '' : this.quoted(message)})`;
  }

  private url(value: object): void {
    this.text += `URL(${this.quoted(urlHref(value) as string)})`;
  }

  private functionText(value: object): string {
    if (types.isProxy(value)) return '<Proxy>';
    const name = dataText(value, 'name') ?? '';
    return name === '' ? '<function>' : `<function ${escapeText(this.short(name))}>`;
  }

  private bigint(value: bigint): string {
    // The digits of a huge number take long to compute.
    return value < HUGE && value > -HUGE ? String(value) : '<bigint of over 1000 digits>';
  }

  private quoted(text: string): string {
    // Masked before it is cut, or the cut could leave half a password that no longer looks so.
    return `'${escapeText(this.short(maskUrlPasswords(this.short(text, MASK_WINDOW))))}'`;
  }

  /** Enough of a text to fill the representation. */
  private short(text: string, margin = 1): string {
    const length = this.maxLength + margin;
    return text.length > length ? text.slice(0, length) : text;
  }
}

// Control characters, quotes and lone surrogates would break a log line, or a store's encoding.
const TO_ESCAPE =
  // oxlint-disable-next-line no-control-regex
  /[\\'\u0000-\u001f\u007f-\u009f\u2028\u2029]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g;

/** A text of nothing but printable ASCII without quotes and backslashes: the usual case. */
const NOTHING_TO_ESCAPE = /^[ -&(-[\]-~]*$/;

function escapeText(text: string): string {
  if (NOTHING_TO_ESCAPE.test(text)) return text;
  return text.replace(TO_ESCAPE, (char) => {
    if (char === '\\' || char === "'") return `\\${char}`;
    if (char === '\n') return '\\n';
    if (char === '\r') return '\\r';
    if (char === '\t') return '\\t';
    const code = char.charCodeAt(0);
    return code < 256
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

function dateText(value: Date): string {
  const time = Date.prototype.getTime.call(value);
  return Number.isNaN(time) ? 'Date(invalid)' : `Date(${new Date(time).toISOString()})`;
}

function bracketsOf(value: object): [string, string] {
  if (Array.isArray(value)) return ['[', ']'];
  if (types.isMap(value)) return ['Map{', '}'];
  if (types.isSet(value)) return ['Set{', '}'];
  const prototype = prototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return ['{', '}'];
  const name = className(value);
  return [name === undefined || name === 'Object' ? '{' : `${name}{`, '}'];
}

/** A text that can be had without running code: a data property, own or inherited. */
function dataText(value: object, key: string): string | undefined {
  const found = dataProperty(value, key);
  return typeof found === 'string' ? found : undefined;
}

function dataProperty(value: object, key: string): unknown {
  for (let owner: object | null = value; owner !== null; owner = prototypeOf(owner)) {
    if (types.isProxy(owner)) return undefined;
    const descriptor = Object.getOwnPropertyDescriptor(owner, key);
    if (descriptor !== undefined) return descriptor.value;
  }
  return undefined;
}

function className(value: object): string | undefined {
  const prototype = prototypeOf(value);
  if (prototype === null) return undefined;
  const constructor = dataProperty(prototype, 'constructor');
  if (typeof constructor !== 'function' || types.isProxy(constructor)) return undefined;
  const name = Object.getOwnPropertyDescriptor(constructor, 'name')?.value as unknown;
  return typeof name === 'string' && name !== '' ? escapeText(name.slice(0, 80)) : undefined;
}

/** `instanceof` that stops at a proxy instead of calling its trap. */
function inherits(value: object, prototype: object): boolean {
  for (let owner: object | null = value; owner !== null; owner = prototypeOf(owner)) {
    if (types.isProxy(owner)) return false;
    if (owner === prototype) return true;
  }
  return false;
}

function prototypeOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null;
}

function bytesText(value: object): string {
  const name = className(value) ?? 'TypedArray';
  return `<${name} of ${byteLength(value) as number} bytes>`;
}

function getterOf(prototype: object, key: string): (value: object) => unknown {
  const descriptor = Object.getOwnPropertyDescriptor(prototype, key);
  return (value) => descriptor?.get?.call(value) as unknown;
}
