import type { Reading } from '../setting-definition.interface.js';
import { describeValue } from '../value.describer.js';
import { dictOf, listItems } from './value.reader.js';

/** A queue that workers consume. */
export interface QueueDefinition {
  readonly name: string;
}

/** What may be written for `task_queues`. */
export type TaskQueuesInput =
  | readonly (string | QueueDefinition)[]
  | Readonly<Record<string, Readonly<Record<string, never>> | null>>;

const EXCHANGE_KEYS = new Set([
  'exchange',
  'exchange_type',
  'routing_key',
  'binding_key',
  'bindings',
  'queue_arguments',
  'durable',
]);

const FORM =
  "a list of queues: write ['high', 'low'], [{ name: 'high' }], or an object by queue name";

/** Reads the name of a queue. */
export function readQueueName(raw: unknown): Reading {
  const name = typeof raw === 'string' ? raw.trim() : '';
  if (name === '') {
    return { problem: 'is not the name of a queue: write a string that is not empty.' };
  }
  return name.includes(':')
    ? { problem: "has a ':' in the name of a queue, which the store does not allow: write '.'." }
    : { value: name };
}

/** Reads a list of queue names, as of `-Q` and `-X`. */
export function readQueueNames(raw: unknown): Reading {
  const names = readEach(listItems(raw));
  return 'problem' in names ? names : { value: Object.freeze(names.value) };
}

/** Reads `task_queues` in each of its forms. */
export function readQueues(raw: unknown): Reading {
  const isDict = typeof raw === 'string' ? raw.trim().startsWith('{') : !isListLike(raw);
  const names = isDict ? namesOfDict(raw) : namesOfList(listItems(raw));
  if ('problem' in names) {
    return names;
  }
  const twice = names.value.find((name, index) => names.value.indexOf(name) !== index);
  return twice === undefined
    ? { value: Object.freeze(names.value.map((name) => Object.freeze({ name }))) }
    : { problem: `names the queue '${twice}' twice.` };
}

type Names = { readonly value: string[] } | { readonly problem: string };

function isListLike(raw: unknown): boolean {
  return Array.isArray(raw) || Object.prototype.toString.call(raw) === '[object Set]';
}

function readEach(items: readonly unknown[] | undefined): Names {
  if (items === undefined) {
    return { problem: 'is not a list of queue names: write an array, or names with commas.' };
  }
  const value: string[] = [];
  for (const item of items) {
    const reading = readQueueName(item);
    if ('problem' in reading) {
      return reading;
    }
    value.push(reading.value as string);
  }
  return { value };
}

function namesOfList(items: readonly unknown[] | undefined): Names {
  if (items === undefined) {
    return { problem: `is not ${FORM}.` };
  }
  const names: unknown[] = [];
  for (const item of items) {
    if (typeof item === 'string') {
      names.push(item);
      continue;
    }
    const dict = dictOf(item);
    if (dict === undefined) {
      return { problem: `has an item that is no queue, ${describeValue(item)}: write ${FORM}.` };
    }
    const problem = problemOfOptions(dict);
    if (problem !== undefined) {
      return { problem };
    }
    names.push(dict['name']);
  }
  return readEach(names);
}

function namesOfDict(raw: unknown): Names {
  const dict = dictOf(raw);
  if (dict === undefined) {
    return { problem: `is not ${FORM}.` };
  }
  for (const [name, options] of Object.entries(dict)) {
    if (options === null || options === undefined || options === true) {
      continue;
    }
    const inner = dictOf(options);
    if (inner === undefined) {
      return { problem: `has a wrong value for the queue '${name}': write {}.` };
    }
    const problem = problemOfOptions(inner);
    if (problem !== undefined) {
      return { problem };
    }
  }
  return readEach(Object.keys(dict));
}

function problemOfOptions(dict: Record<string, unknown>): string | undefined {
  const key = Object.keys(dict).find((each) => each !== 'name');
  if (key === undefined) {
    return undefined;
  }
  return EXCHANGE_KEYS.has(key)
    ? `uses '${key}', which belongs to AMQP: there are no exchanges here. Name the queue, and ` +
        'send tasks to it with task_routes.'
    : `has a queue with the unknown key '${key}': a queue has only a name.`;
}
