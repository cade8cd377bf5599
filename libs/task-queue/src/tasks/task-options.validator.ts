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
  throws: {
    expected: 'a list of error classes',
    accepts: (value) => Array.isArray(value) && value.every(isClass),
  },
  description: { expected: 'a text', accepts: (value) => typeof value === 'string' },
};

/** Celery's task attributes that this version does not have. */
const ABSENT_OPTIONS: ReadonlySet<string> = new Set([
  'acksLate',
  'acksOnFailure',
  'acksOnFailureOrTimeout',
  'acksOnTimeout',
  'afterReturn',
  'autoretryFor',
  'backend',
  'base',
  'beforeStart',
  'compression',
  'countdown',
  'defaultRetryDelay',
  'dontAutoretryFor',
  'exchange',
  'filter',
  'lazy',
  'maxRetries',
  'onFailure',
  'onReplace',
  'onRetry',
  'onSuccess',
  'priority',
  'pydantic',
  'pydanticContext',
  'pydanticDumpKwargs',
  'pydanticStrict',
  'rateLimit',
  'rejectOnWorkerLost',
  'request',
  'resultreprMaxsize',
  'retryBackoff',
  'retryBackoffMax',
  'retryJitter',
  'retryKwargs',
  'routingKey',
  'sendEvents',
  'shadowName',
  'shared',
  'softTimeLimit',
  'storeEagerResult',
  'strategy',
  'timeLimit',
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
    options[key] = Array.isArray(value) ? Object.freeze([...value]) : value;
  }
  return Object.freeze(options);
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
