/**
 * The typed values of JSON messages: `{"__type__": "<kind>", "__value__": ...}`, kombu's format
 * since 5.3. An object is a typed value only when it has exactly these two keys.
 *
 * | kind       | value                          | here                | in Python |
 * |------------|--------------------------------|---------------------|-----------|
 * | `datetime` | ISO-8601; no offset means UTC  | `Date`              | datetime  |
 * | `date`     | `YYYY-MM-DD`                   | `Date`, 00:00 UTC   | date      |
 * | `time`     | ISO-8601 time                  | string              | time      |
 * | `decimal`  | digits                         | string              | Decimal   |
 * | `uuid`     | `{"hex", "version"}`           | string with hyphens | UUID      |
 * | `bytes`    | UTF-8 text                     | `Buffer`            | bytes     |
 * | `base64`   | base64                         | `Buffer`            | bytes     |
 * | `float`    | `nan`, `inf`, `-inf`, `-0.0`   | number              | -         |
 * | `bigint`   | digits                         | `bigint`            | -         |
 * | `map`      | `[[key, value], ...]`          | `Map`               | -         |
 * | `set`      | `[value, ...]`                 | `Set`               | -         |
 * | `url`      | text                           | `URL`               | -         |
 * | `object`   | `[[key, value], ...]`          | plain object        | -         |
 *
 * `object` is the escape form of a plain object that happens to look like a typed value. The
 * kinds marked `-` are ours: a Python reader has to register them (`kombu.utils.json.register_type`).
 */
export const TYPE_KEY = '__type__';
export const VALUE_KEY = '__value__';

/** The form of the kombu 5.3 betas: `{"bytes": "...", "__bytes__": true}`; only read. */
export const OLD_BYTES_KEY = 'bytes';
export const OLD_UTF8_FLAG = '__bytes__';
export const OLD_BASE64_FLAG = '__base64__';

/** How many containers may be nested in a value that is encoded. */
export const MAX_DEPTH = 1_000;

/** How many containers may be nested in a text that has typed values; a Map costs three. */
export const MAX_TEXT_DEPTH = 3 * MAX_DEPTH + 10;

/** Longest `bigint`, in decimal digits: reading one takes more than linear time. */
export const MAX_BIGINT_DIGITS = 100_000;

/** Whether a plain object with these keys would be read as something else. */
export function looksTyped(keys: readonly string[]): boolean {
  if (keys.length !== 2) return false;
  if (keys.includes(TYPE_KEY)) return keys.includes(VALUE_KEY);
  return (
    keys.includes(OLD_BYTES_KEY) && (keys.includes(OLD_UTF8_FLAG) || keys.includes(OLD_BASE64_FLAG))
  );
}

/** Sets an own property, also when it is called `__proto__`. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
  } else {
    target[key] = value;
  }
}
