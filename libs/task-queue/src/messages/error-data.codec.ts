import { TaskFailure } from '../errors/task-queue.errors.js';
import { isSecretKey, maskUrlPasswords, REDACTED } from './secret-keys.util.js';
import { setOwn } from './typed-json.format.js';

const MAX_LEVELS = 3;
const MAX_NODES = 200;
const MAX_TEXT = 4_096;

/** Kept elsewhere in the encoded error. */
const OWN_PLACE: ReadonlySet<string> = new Set(['cause', 'message', 'name', 'stack']);
const OWN_PLACE_OF_FAILURE: ReadonlySet<string> = new Set([...OWN_PLACE, 'args', 'module']);

/**
 * The own enumerable fields of an error that are JSON, as plain JSON: what an HTTP client's or a
 * driver's error adds (`code`, `status`, `errno`, `detail`).
 *
 * Fields of other kinds are left out: accessors, functions, class instances. Values under keys
 * that look secret are replaced by `********`. At most three levels, 200 values, and 4,096
 * characters per text: it is stored with every failure.
 *
 * @returns `undefined` when there are none.
 */
export function encodeErrorData(error: Error): Record<string, unknown> | undefined {
  const skipped = error instanceof TaskFailure ? OWN_PLACE_OF_FAILURE : OWN_PLACE;
  const data = new ErrorDataCopy().record(error, 0, skipped);
  return Object.keys(data).length === 0 ? undefined : data;
}

class ErrorDataCopy {
  private nodes = 0;

  record(source: object, level: number, skipped?: ReadonlySet<string>): Record<string, unknown> {
    const out: Record<string, unknown> = {};
    for (const key of Object.keys(source)) {
      if (skipped?.has(key) === true) continue;
      const descriptor = Object.getOwnPropertyDescriptor(source, key);
      if (descriptor === undefined || !('value' in descriptor)) continue;
      const copy = this.value(descriptor.value, level + 1);
      if (copy !== undefined) setOwn(out, key, isSecretKey(key) ? REDACTED : copy);
    }
    return out;
  }

  /** The copy, or `undefined` for what is left out. */
  private value(value: unknown, level: number): unknown {
    this.nodes += 1;
    if (this.nodes > MAX_NODES) return undefined;
    switch (typeof value) {
      case 'string':
        return maskUrlPasswords(value.slice(0, MAX_TEXT));
      case 'number':
        return Number.isFinite(value) ? value : String(value);
      case 'boolean':
        return value;
      case 'bigint':
        return String(value).slice(0, MAX_TEXT);
      case 'object':
        return value === null ? null : this.object(value, level);
      default:
        return undefined;
    }
  }

  private object(value: object, level: number): unknown {
    if (level > MAX_LEVELS) return undefined;
    if (Array.isArray(value)) {
      return value.slice(0, MAX_NODES).map((item) => this.value(item, level + 1) ?? null);
    }
    const prototype = Object.getPrototypeOf(value) as object | null;
    const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
    return isPlain ? this.record(value, level) : undefined;
  }
}
