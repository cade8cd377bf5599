import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { readDuration } from '../settings/readers/duration.reader.js';
import { nearestName } from '../settings/nearest-name.util.js';
import type { SharedTaskOptions } from './task-options.interface.js';

const TASK_NAME = /^[\p{L}\p{N}_.$-]{1,200}$/u;

const NAME_FORM = '1 to 200 letters, digits, "_", ".", "-" or "$", without spaces';

interface OptionRule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

const BOOLEAN: OptionRule = {
  expected: 'true or false',
  accepts: (value) => typeof value === 'boolean',
};

const ERROR_CLASSES: OptionRule = {
  expected: 'a list of error classes',
  accepts: (value) => Array.isArray(value) && value.every(isClass),
};

const DELAY_FORM = 'seconds from 0, or a duration such as "90s", "15m" or "2h"';

const TIME_LIMIT: OptionRule = {
  expected: 'seconds above 0, a duration such as "90s" or "15m", or null or 0 for none',
  accepts: (value) => value === null || (readDuration(value) ?? -1) >= 0,
};

const RULES: Readonly<Record<keyof SharedTaskOptions, OptionRule>> = {
  name: {
    expected: NAME_FORM,
    accepts: (value) => typeof value === 'string' && TASK_NAME.test(value),
  },
  bind: BOOLEAN,
  typing: BOOLEAN,
  ignoreResult: BOOLEAN,
  storeErrorsEvenIfIgnored: BOOLEAN,
  trackStarted: BOOLEAN,
  queue: {
    expected: 'the name of a queue: 1 to 100 characters, no ":"',
    accepts: (value) => typeof value === 'string' && /^[^:]{1,100}$/.test(value),
  },
  expires: {
    expected: 'seconds above 0, or a duration such as "90s", "15m" or "2h"',
    accepts: (value) => (readDuration(value) ?? 0) > 0,
  },
  serializer: { expected: '"json"', accepts: (value) => value === 'json' },
  throws: ERROR_CLASSES,
  timeLimit: TIME_LIMIT,
  softTimeLimit: TIME_LIMIT,
  priority: {
    expected: 'an integer from 0 to 9, higher first',
    accepts: (value) => isCount(value) && (value as number) <= 9,
  },
  maxRetries: {
    expected: 'an integer from 0, or null for no end',
    accepts: (value) => value === null || isCount(value),
  },
  defaultRetryDelay: { expected: DELAY_FORM, accepts: isDelay },
  autoretryFor: ERROR_CLASSES,
  dontAutoretryFor: ERROR_CLASSES,
  retryKwargs: {
    expected: `an object with maxRetries (an integer from 0) and countdown (${DELAY_FORM}), or one of them`,
    accepts: isRetryKwargs,
  },
  retryBackoff: {
    expected: 'true, false, or whole seconds from 0',
    accepts: (value) => typeof value === 'boolean' || isCount(value),
  },
  retryBackoffMax: { expected: 'whole seconds from 0', accepts: isCount },
  retryJitter: BOOLEAN,
  retryDelay: {
    expected: 'a function that gives seconds, a Date, false or undefined',
    accepts: (value) => typeof value === 'function' && !isAsync(value),
  },
  acksLate: BOOLEAN,
  rejectOnWorkerLost: BOOLEAN,
  acksOnFailure: BOOLEAN,
  acksOnTimeout: BOOLEAN,
  description: { expected: 'a text', accepts: (value) => typeof value === 'string' },
};

/** Celery's task attributes that this version does not have. */
const ABSENT_OPTIONS: ReadonlySet<string> = new Set([
  'acksOnFailureOrTimeout',
  'afterReturn',
  'backend',
  'base',
  'beforeStart',
  'compression',
  'countdown',
  'exchange',
  'filter',
  'lazy',
  'onFailure',
  'onReplace',
  'onRetry',
  'onSuccess',
  'pydantic',
  'pydanticContext',
  'pydanticDumpKwargs',
  'pydanticStrict',
  'rateLimit',
  'request',
  'resultreprMaxsize',
  'routingKey',
  'sendEvents',
  'shadowName',
  'shared',
  'storeEagerResult',
  'strategy',
  'trail',
]);

/**
 * Checks the full name of a task.
 *
 * @throws ImproperlyConfigured when it is not 1 to 200 letters, digits, `_`, `.`, `-` or `$`.
 */
export function assertTaskName(name: string, place: string): void {
  if (!TASK_NAME.test(name)) {
    throw new ImproperlyConfigured(
      `The task name ${JSON.stringify(name)} of ${place} is not valid. Give @SharedTask a ` +
        `{ name }, or the class a shorter @TaskNamespace: a name has ${NAME_FORM}.`,
    );
  }
}

/**
 * Checks a namespace of tasks.
 *
 * @throws ImproperlyConfigured when it is not 1 to 200 letters, digits, `_`, `.`, `-` or `$`.
 */
export function assertNamespace(namespace: unknown, place: string): asserts namespace is string {
  if (typeof namespace !== 'string' || !TASK_NAME.test(namespace)) {
    throw new ImproperlyConfigured(
      `@TaskNamespace on ${place} must be given ${NAME_FORM}; it is ${describe(namespace)}.`,
    );
  }
}

/**
 * Checks what was given to `@SharedTask` and freezes a copy of it. Options that are `undefined`
 * are left out.
 *
 * @throws ImproperlyConfigured for an unknown option and for a value of the wrong kind.
 */
export function checkTaskOptions(given: unknown, place: string): Readonly<SharedTaskOptions> {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new ImproperlyConfigured(
      `@SharedTask on ${place} takes an object of options, not ${describe(given)}. ` +
        `Write for example @SharedTask({ name: 'mail.send' }).`,
    );
  }
  const options: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(RULES, key)) {
      throw new ImproperlyConfigured(unknownOption(key, place));
    }
    if (value === undefined) {
      continue;
    }
    const rule = RULES[key as keyof SharedTaskOptions];
    if (!rule.accepts(value)) {
      throw new ImproperlyConfigured(
        `The option '${key}' of @SharedTask on ${place} must be ${rule.expected}; it is ` +
          `${describe(value)}.`,
      );
    }
    options[key] = frozenCopy(value);
  }
  return Object.freeze(options);
}

/** What the caller does to a list or an object afterwards has no effect. */
function frozenCopy(value: unknown): unknown {
  if (Array.isArray(value)) {
    return Object.freeze([...value]);
  }
  return typeof value === 'object' && value !== null ? Object.freeze({ ...value }) : value;
}

function unknownOption(key: string, place: string): string {
  const start = `@SharedTask on ${place} does not know the option '${key}'`;
  const plain = key.replaceAll('_', '').toLowerCase();
  const sameLetters = (name: string): boolean => name.toLowerCase() === plain;
  const known = Object.keys(RULES);
  const spelled = known.find(sameLetters);
  if (spelled) {
    return `${start}. It is written '${spelled}'.`;
  }
  const absent = [...ABSENT_OPTIONS].find(sameLetters);
  if (absent) {
    return (
      `${start}: Celery's '${absent}' is not part of this version of nestjs-celery. ` +
      `Remove it; the options are ${known.join(', ')}.`
    );
  }
  const nearest = nearestName(key, [...known, ...ABSENT_OPTIONS]);
  if (nearest && ABSENT_OPTIONS.has(nearest)) {
    return (
      `${start}. If you mean Celery's '${nearest}': it is not part of this version of ` +
      `nestjs-celery. Remove it; the options are ${known.join(', ')}.`
    );
  }
  return nearest
    ? `${start}. Did you mean '${nearest}'?`
    : `${start}. Remove it; the options are ${known.join(', ')}.`;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isDelay(value: unknown): boolean {
  return (readDuration(value) ?? -1) >= 0;
}

function isRetryKwargs(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(
      ([key, item]) =>
        item === undefined ||
        (key === 'maxRetries' && isCount(item)) ||
        (key === 'countdown' && isDelay(item)),
    )
  );
}

/** A promise would read as "retry", whatever it brings. */
function isAsync(value: object): boolean {
  return Object.prototype.toString.call(value) === '[object AsyncFunction]';
}

function isClass(value: unknown): boolean {
  return typeof value === 'function' && typeof value.prototype === 'object';
}

function describe(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
    case 'boolean':
    case 'undefined':
      return String(value);
    case 'object':
      return value === null ? 'null' : Array.isArray(value) ? 'a list' : 'an object';
    default:
      return `a ${typeof value}`;
  }
}
