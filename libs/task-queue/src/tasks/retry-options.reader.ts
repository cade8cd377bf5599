import { types } from 'node:util';
import type { RetryChanges } from '../errors/task-queue.errors.js';
import { parseIsoDate } from '../messages/iso-date.util.js';
import { reprValue } from '../messages/repr.js';
import { nearestName } from '../settings/nearest-name.util.js';
import { DURATION_FORM, readDuration } from '../settings/readers/duration.reader.js';
import type { RetryOptions } from './retry-options.interface.js';

/** `RetryOptions`, checked. */
export interface ReadRetryOptions {
  /** Seconds, or a point in time. Absent: the default of the task. */
  readonly when?: number | Date;
  readonly maxRetries?: number;
  readonly changes: RetryChanges;
}

interface OptionRule {
  readonly form: string;
  /** The value as it is used, or `undefined` when it is wrong. */
  read(value: unknown): unknown;
}

const TEXT: OptionRule = {
  form: 'a string',
  read: (value) => (typeof value === 'string' ? value : undefined),
};
const OBJECT: OptionRule = {
  form: 'a plain object',
  read: (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined,
};
const TIME_FORM = "a Date, or ISO 8601 such as '2030-01-31T12:00:00Z'";

const CHANGES: Readonly<Record<keyof RetryChanges, OptionRule>> = {
  args: {
    form: 'an array, such as [2, 3]',
    read: (value) => (Array.isArray(value) ? value : undefined),
  },
  kwargs: OBJECT,
  queue: {
    form: "the name of a queue: 1 to 100 characters, no ':'",
    read: (value) =>
      typeof value === 'string' && /^[^:]{1,100}$/.test(value) && value.trim() !== ''
        ? value
        : undefined,
  },
  priority: {
    form: 'an integer from 0 to 9, higher first',
    read: (value) =>
      Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 9
        ? value
        : undefined,
  },
  expires: {
    form: `${DURATION_FORM}, ${TIME_FORM}`,
    read: (value) => readDuration(value) ?? readTime(value),
  },
  headers: OBJECT,
  shadow: TEXT,
  ignoreResult: {
    form: 'true or false',
    read: (value) => (typeof value === 'boolean' ? value : undefined),
  },
  argsRepr: TEXT,
  kwargsRepr: TEXT,
};

const CONTROLS: Readonly<Record<'countdown' | 'eta' | 'maxRetries' | 'throw', OptionRule>> = {
  countdown: { form: DURATION_FORM, read: readCountdown },
  eta: { form: TIME_FORM, read: readTime },
  maxRetries: {
    form: 'an integer from 0, or Infinity',
    read: (value) =>
      value === Infinity || (Number.isSafeInteger(value) && (value as number) >= 0)
        ? value
        : undefined,
  },
  throw: {
    form: 'true or false',
    read: (value) => (typeof value === 'boolean' ? value : undefined),
  },
};

const RULES: ReadonlyMap<string, OptionRule> = new Map([
  ...Object.entries(CHANGES),
  ...Object.entries(CONTROLS),
]);

/**
 * Checks what was given to `retry()`.
 *
 * @throws TypeError - An option is unknown or wrong; the sentence says what it should be.
 */
export function readRetryOptions(options: RetryOptions): ReadRetryOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(
      `retry() takes an object of options, such as { exc: error, countdown: 10 }; given was ` +
        `${reprValue(options, 80)}.`,
    );
  }
  const read: Record<string, unknown> = {};
  const changes: Record<string, unknown> = {};
  for (const [option, value] of Object.entries(options)) {
    if (option === 'exc') continue;
    const rule = RULES.get(option);
    if (rule === undefined) throw unknownOption(option);
    if (value === undefined || value === null) continue;
    const used = rule.read(value);
    if (used === undefined) {
      throw new TypeError(
        `The option '${option}' of retry() is ${rule.form}; given was ${reprValue(value, 80)}.`,
      );
    }
    (option in CHANGES ? changes : read)[option] = used;
  }
  const { countdown, eta, maxRetries } = read as {
    countdown?: number;
    eta?: Date;
    maxRetries?: number;
  };
  const when = countdown ?? eta;
  return {
    changes,
    ...(when !== undefined && { when }),
    ...(maxRetries !== undefined && { maxRetries }),
  };
}

/** Longer than this a date cannot tell; seconds. */
const LONGEST = 1e12;

function readCountdown(value: unknown): number | undefined {
  const seconds = readDuration(value);
  return seconds !== undefined && Math.abs(seconds) <= LONGEST ? seconds : undefined;
}

function readTime(value: unknown): Date | undefined {
  if (types.isDate(value)) {
    return Number.isNaN(value.getTime()) ? undefined : value;
  }
  return typeof value === 'string' ? (parseIsoDate(value) ?? undefined) : undefined;
}

function unknownOption(option: string): TypeError {
  const known = [...RULES.keys(), 'exc'];
  const nearest = nearestName(option, known);
  return new TypeError(
    `There is no option '${option}' of retry(). ` +
      (nearest === undefined
        ? `The options are: ${known.join(', ')}.`
        : `Did you mean '${nearest}'?`),
  );
}
