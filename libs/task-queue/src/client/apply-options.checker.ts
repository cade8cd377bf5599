import { types } from 'node:util';

import { parseIsoDate, reprValue } from '../messages/index.js';
import { readDuration } from '../settings/index.js';
import { nearestName } from '../settings/nearest-name.util.js';
import { DURATION_FORM } from '../settings/readers/duration.reader.js';
import type { CallOptions } from './call-options.interface.js';
import { checkQueueName } from './queue-name.js';
import { checkRetryPolicy } from './retry-policy.js';

type Check = (value: unknown, option: string, now: number) => Partial<CallOptions>;

/** Options of Celery's that this version does not have. */
const NOT_YET = new Set(
  (
    'add_to_parent chain chord compression connection exchange group_id group_index link ' +
    'link_error producer reply_to routing_key stamps unique_key'
  ).split(' '),
);

const CHECKS: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['countdown', (value, option, now) => dueAt(now + seconds(value, option) * 1000, now)],
  ['eta', (value, option) => ({ dueAt: time(value, option) })],
  ['expires', (value, option, now) => ({ expiresAt: expiry(value, option, now) })],
  ['queue', (value) => ({ queue: checkQueueName(value) })],
  ['timeLimit', (value, option) => ({ timeLimit: limit(value, option) })],
  ['softTimeLimit', (value, option) => ({ softTimeLimit: limit(value, option) })],
  ['priority', (value, option) => ({ priority: priority(value, option) })],
  ['taskId', (value, option) => ({ taskId: checkTaskId(value, option) })],
  ['headers', (value, option) => ({ headers: record(value, option) })],
  ['ignoreResult', (value, option) => ({ ignoreResult: boolean(value, option) })],
  ['retry', (value, option) => ({ retry: boolean(value, option) })],
  ['retryPolicy', (value) => ({ retryPolicy: checkRetryPolicy(value) })],
  ['serializer', (value, option) => ({ serializer: text(value, option) })],
  ['shadow', (value, option) => ({ shadow: text(value, option) })],
  ['argsRepr', (value, option) => ({ argsRepr: text(value, option) })],
  ['kwargsRepr', (value, option) => ({ kwargsRepr: text(value, option) })],
  ['rootId', (value, option) => ({ rootId: checkTaskId(value, option) })],
  ['parentId', (value, option) => ({ parentId: checkTaskId(value, option) })],
  ['throw', (value, option) => ({ throw: boolean(value, option) })],
]);
/** `kwargs` and `args` are read by who calls. */
const TAKEN_ELSEWHERE = new Set(['kwargs', 'args']);
const NO_OPTIONS: CallOptions = Object.freeze({});

/**
 * Checks the options of a call, and makes its times absolute.
 *
 * @param options - As the caller gave them; nothing is trusted.
 * @param now - Milliseconds since the epoch.
 * @param extra - What is allowed besides `ApplyOptions`.
 * @throws TypeError - An option is unknown or wrong; the sentence says what it should be.
 */
export function checkOptions(
  options: unknown,
  now: number,
  extra: readonly ('args' | 'throw')[] = [],
): CallOptions {
  if (options === undefined || options === null) return NO_OPTIONS;
  if (typeof options !== 'object' || Array.isArray(options)) {
    throw new TypeError(
      `The options of a call are an object, such as { countdown: 10 }; given was ` +
        `${reprValue(options, 80)}.`,
    );
  }
  let checked: CallOptions = NO_OPTIONS;
  for (const [option, value] of Object.entries(options)) {
    const check = CHECKS.get(option);
    if (isBeside(option) ? !extra.includes(option) : !check && !TAKEN_ELSEWHERE.has(option)) {
      throw unknownOption(option);
    }
    if (!check || value === undefined || value === null) continue;
    checked = { ...checked, ...check(value, option, now) };
  }
  return withCountdown(checked, options as Record<string, unknown>, now);
}

/** The keyword arguments of a call. @throws TypeError - They are not a plain object. */
export function checkKwargs(kwargs: unknown): Readonly<Record<string, unknown>> {
  return kwargs === undefined || kwargs === null ? {} : record(kwargs, 'kwargs');
}

/** The positional arguments of a call. @throws TypeError - They are not an array. */
export function checkArgs(args: unknown): readonly unknown[] {
  if (args === undefined || args === null) return [];
  if (Array.isArray(args)) return args;
  throw new TypeError(
    `The arguments of a task are given as one array, such as [2, 3]; given was ` +
      `${reprValue(args, 80)}.`,
  );
}

function isBeside(option: string): option is 'args' | 'throw' {
  return option === 'args' || option === 'throw';
}

/** Of both, the countdown wins, in whatever order they were given. */
function withCountdown(
  checked: CallOptions,
  options: Readonly<Record<string, unknown>>,
  now: number,
): CallOptions {
  const { countdown, eta } = options;
  if (countdown === undefined || countdown === null || eta === undefined || eta === null) {
    return checked;
  }
  const { dueAt: _, ...rest } = checked;
  return { ...rest, ...dueAt(now + seconds(countdown, 'countdown') * 1000, now) };
}

function dueAt(at: number, now: number): Partial<CallOptions> {
  if (at <= now) return {};
  return { dueAt: representable(at, 'countdown') };
}

function expiry(value: unknown, option: string, now: number): number {
  const relative = readDuration(value);
  return relative === undefined
    ? time(value, option)
    : representable(now + relative * 1000, option);
}

function seconds(value: unknown, option: string): number {
  const duration = readDuration(value);
  if (duration === undefined) throw wrong(option, DURATION_FORM, value);
  return duration;
}

/** A Date holds 100 million days on either side of 1970, and no more. */
function representable(at: number, option: string): number {
  if (Math.abs(at) > 8.64e15) {
    throw new TypeError(`The option '${option}' is further away than a date can say.`);
  }
  return Math.round(at);
}

function time(value: unknown, option: string): number {
  if (types.isDate(value)) {
    const at = value.getTime();
    if (Number.isNaN(at)) {
      throw new TypeError(`The option '${option}' is an invalid Date: check how it was made.`);
    }
    return at;
  }
  const at = typeof value === 'string' ? parseIsoDate(value)?.getTime() : undefined;
  if (at !== undefined) return at;
  const relative = option === 'expires' ? `${DURATION_FORM}, ` : '';
  throw wrong(option, `${relative}a Date, or ISO 8601 such as '2030-01-31T12:00:00Z'`, value);
}

function checkTaskId(value: unknown, option: string): string {
  const id = text(value, option);
  if (id === '') throw new TypeError(`The option '${option}' is empty: leave it out instead.`);
  if (Buffer.byteLength(id) > 200) {
    throw new TypeError(`The option '${option}' is longer than the 200 bytes that an id may have.`);
  }
  if (id.includes(':')) {
    throw new TypeError(
      `The option '${option}' has a ':', which the store does not allow in an id: write '-'.`,
    );
  }
  if (/^[+-]?\d+$/.test(id)) {
    throw new TypeError(
      `The option '${option}' is an integer, which the store keeps for ids of its own: put a ` +
        `letter before it, such as 'order-${id}'.`,
    );
  }
  return id;
}

function record(value: unknown, option: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(option, 'a plain object', value);
  }
  return value as Readonly<Record<string, unknown>>;
}

function limit(value: unknown, option: string): number {
  const read = readDuration(value);
  if (read === undefined || !(read > 0)) {
    throw wrong(option, `above 0: ${DURATION_FORM}`, value);
  }
  return read;
}

function priority(value: unknown, option: string): number {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 9) {
    throw wrong(option, 'an integer from 0 to 9, higher first', value);
  }
  return value as number;
}

function boolean(value: unknown, option: string): boolean {
  if (typeof value !== 'boolean') throw wrong(option, 'true or false', value);
  return value;
}

function text(value: unknown, option: string): string {
  if (typeof value !== 'string') throw wrong(option, 'a string', value);
  return value;
}

function wrong(option: string, form: string, value: unknown): TypeError {
  return new TypeError(`The option '${option}' is ${form}; given was ${reprValue(value, 80)}.`);
}

function unknownOption(option: string): TypeError {
  const snake = option.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if (NOT_YET.has(snake)) {
    return new TypeError(
      `The option '${option}' is not part of this version: leave it out, or set the like of it ` +
        'on the queue or in the task.',
    );
  }
  const known = [...CHECKS.keys(), 'kwargs'];
  const nearest = nearestName(option, known);
  return new TypeError(
    `There is no option '${option}'. ` +
      (nearest === undefined
        ? `The options are: ${known.filter((name) => name !== 'throw').join(', ')}.`
        : `Did you mean '${nearest}'?`),
  );
}
