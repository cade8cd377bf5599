import { parseIsoDate } from './iso-date.util.js';
import { JSON_CONTENT_TYPE } from './json.codec.js';
import type { TaskHeaders, TaskMessage } from './task-message.interface.js';

interface HeaderRule {
  /** What the header must be, for the error message. */
  readonly expects: string;
  accepts(value: unknown): boolean;
  /** Whether the value goes without saying. Absent: never. */
  isDefault?(value: unknown, message: TaskMessage): boolean;
}

const string: HeaderRule = { expects: 'a string', accepts: (v) => typeof v === 'string' };
const count: HeaderRule = { expects: 'an integer from 0', accepts: isCount };
const counter: HeaderRule = { ...count, isDefault: (v) => v === 0 };
const record: HeaderRule = {
  expects: 'an object',
  accepts: isRecord,
  isDefault: (v) => isRecord(v) && Object.keys(v).length === 0,
};
const time: HeaderRule = {
  expects: 'an ISO-8601 date-time in a string',
  accepts: (v) => typeof v === 'string' && parseIsoDate(v) !== null,
};

const RULES: Readonly<Record<keyof TaskHeaders, HeaderRule>> = {
  argsrepr: { ...string, isDefault: (v) => v === '()' },
  content_type: { ...string, isDefault: (v) => v === JSON_CONTENT_TYPE },
  eta: time,
  expires: time,
  group: string,
  group_index: count,
  headers: record,
  // False is no default: it says that the call wants a result which the task itself ignores.
  ignore_result: { expects: 'a boolean', accepts: (v) => typeof v === 'boolean' },
  kwargsrepr: { ...string, isDefault: (v) => v === '{}' },
  lang: { ...string, isDefault: (v) => v === 'js' },
  origin: string,
  parent_id: string,
  priority: {
    expects: 'an integer from 0 to 9',
    accepts: (v) => isCount(v) && (v as number) <= 9,
    isDefault: (v) => v === 0,
  },
  replaced_task_nesting: counter,
  retries: counter,
  root_id: { ...string, isDefault: (v, message) => v === message.id },
  shadow: string,
  stamped_headers: {
    expects: 'an array of strings',
    accepts: (v) => Array.isArray(v) && v.every((name) => typeof name === 'string'),
    isDefault: (v) => Array.isArray(v) && v.length === 0,
  },
  stamps: record,
  timelimit: {
    expects: '[hard, soft] with seconds above 0 or null',
    accepts: (v) => Array.isArray(v) && v.length === 2 && v.every(isLimit),
    isDefault: (v) => Array.isArray(v) && v[0] === null && v[1] === null,
  },
};

const RULE_OF: ReadonlyMap<string, HeaderRule> = new Map(Object.entries(RULES));

/**
 * What is wrong with a header, as the end of a sentence, or `null` when it is well. Unknown
 * headers are always well; so is `null`.
 */
export function headerFault(name: string, value: unknown): string | null {
  if (value === null || value === undefined) return null;
  const rule = RULE_OF.get(name);
  if (rule === undefined || rule.accepts(value)) return null;
  return `must be ${rule.expects}, but it is ${kindOf(value)}`;
}

/** Whether a header need not be sent, because its absence means the same. */
export function isDefaultHeader(name: string, value: unknown, message: TaskMessage): boolean {
  if (value === null || value === undefined) return true;
  return RULE_OF.get(name)?.isDefault?.(value, message) ?? false;
}

/** A plain object: what JSON makes of `{}`. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The kind of a value in words, without its content. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  switch (typeof value) {
    case 'object':
      return 'an object';
    case 'string':
      return `a string of ${value.length} characters`;
    case 'number':
      return `the number ${value}`;
    case 'boolean':
      return `the boolean ${value}`;
    default:
      return `a ${typeof value}`;
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isLimit(value: unknown): boolean {
  return value === null || (typeof value === 'number' && Number.isFinite(value) && value > 0);
}
