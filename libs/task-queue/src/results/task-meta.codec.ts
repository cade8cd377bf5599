import { DecodeError } from '../errors/task-queue.errors.js';
import { decodeJson, encodeJson } from '../messages/index.js';
import type { ResultTuple, TaskMeta } from './task-meta.interface.js';

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Writes a result in Celery's JSON form. The text always begins with `{"status":"<status>"`: the
 * stores read the state from there.
 *
 * @throws EncodeError - The result or an argument cannot be encoded; `path` begins with `result`,
 * `args` or `kwargs`.
 */
export function encodeMeta(meta: TaskMeta): string {
  let text =
    `{"status":${JSON.stringify(meta.status)},"result":${encodeJson(meta.result, 'result')}` +
    `,"traceback":${meta.traceback === null ? 'null' : JSON.stringify(meta.traceback)}` +
    `,"children":${meta.children.length === 0 ? '[]' : JSON.stringify(meta.children)}` +
    `,"date_done":${meta.date_done === null ? 'null' : JSON.stringify(meta.date_done)}` +
    `,"task_id":${JSON.stringify(meta.task_id)}`;
  if (meta.group_id !== undefined) text += `,"group_id":${JSON.stringify(meta.group_id)}`;
  if (meta.parent_id !== undefined) text += `,"parent_id":${JSON.stringify(meta.parent_id)}`;
  if (meta.name !== undefined) text += `,"name":${JSON.stringify(meta.name)}`;
  if (meta.args !== undefined) text += `,"args":${encodeJson(meta.args, 'args')}`;
  if (meta.kwargs !== undefined) text += `,"kwargs":${encodeJson(meta.kwargs, 'kwargs')}`;
  if (meta.worker !== undefined) text += `,"worker":${JSON.stringify(meta.worker)}`;
  if (meta.retries !== undefined) text += `,"retries":${JSON.stringify(meta.retries)}`;
  if (meta.queue !== undefined) text += `,"queue":${JSON.stringify(meta.queue)}`;
  return `${text}}`;
}

/**
 * Reads a stored result: ours, or one that Python's Celery wrote (spaces, missing fields, `Z` or
 * no offset in `date_done`, bare `NaN` and `Infinity`).
 *
 * @param id - The id it was stored under, for a text without `task_id`.
 * @throws DecodeError - The text is no result. The message does not quote it.
 */
export function decodeMeta(text: string, id = ''): TaskMeta {
  const raw = parse(text, id);
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    throw unreadable(id, 'it is not a JSON object');
  }
  const fields = raw as Record<string, unknown>;
  const status = fields['status'];
  if (typeof status !== 'string' || status === '') {
    throw unreadable(id, "it has no 'status'");
  }
  const meta: Writable<TaskMeta> = {
    status,
    result: fields['result'] ?? null,
    traceback: stringOr(fields['traceback'], null),
    children: readChildren(fields['children']),
    date_done: readDateDone(fields['date_done']),
    task_id: stringOr(fields['task_id'], id),
  };
  for (const key of ['group_id', 'parent_id', 'name', 'worker', 'queue'] as const) {
    const value = fields[key];
    if (typeof value === 'string') meta[key] = value;
  }
  if (Array.isArray(fields['args'])) meta.args = fields['args'];
  if (isObject(fields['kwargs'])) meta.kwargs = fields['kwargs'];
  if (typeof fields['retries'] === 'number') meta.retries = fields['retries'];
  return meta;
}

/** The ids of the tasks named by `children`, members of groups included, in their order. */
export function childIds(children: readonly ResultTuple[]): string[] {
  return children.flatMap(([[id], members]) => (members === null ? [id] : childIds(members)));
}

function parse(text: string, id: string): unknown {
  try {
    return decodeJson(text);
  } catch (error) {
    const repaired = replaceBareNumbers(text);
    if (repaired === text) {
      throw unreadable(id, 'it is not JSON', error);
    }
    try {
      return decodeJson(repaired);
    } catch (cause) {
      throw unreadable(id, 'it is not JSON', cause);
    }
  }
}

/** Python writes `NaN` and `Infinity` bare, which is not JSON; strings are stepped over. */
function replaceBareNumbers(text: string): string {
  return text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\bInfinity\b|\bNaN\b/gs, (token) => {
    switch (token) {
      case 'NaN':
        return encodeJson(Number.NaN);
      case 'Infinity':
        return encodeJson(Number.POSITIVE_INFINITY);
      case '-Infinity':
        return encodeJson(Number.NEGATIVE_INFINITY);
      default:
        return token;
    }
  });
}

function unreadable(id: string, why: string, cause?: unknown): DecodeError {
  return new DecodeError(
    `The stored result${id === '' ? '' : ` of task ${id}`} cannot be read: ${why}. Check what ` +
      'else writes to this result store, and that result_backend names the right one.',
    cause === undefined ? undefined : { cause },
  );
}

function readDateDone(value: unknown): string | null {
  if (value instanceof Date && !Number.isNaN(value.getTime())) {
    return isoWithOffset(value.getTime());
  }
  return stringOr(value, null);
}

/** Celery's form of a time: ISO 8601 with `+00:00`. */
export function isoWithOffset(time: number): string {
  return `${new Date(time).toISOString().slice(0, -1)}+00:00`;
}

function readChildren(value: unknown): ResultTuple[] {
  return Array.isArray(value) ? value.filter(isTuple) : [];
}

function isTuple(value: unknown): value is ResultTuple {
  if (!Array.isArray(value) || !Array.isArray(value[0]) || typeof value[0][0] !== 'string') {
    return false;
  }
  const members: unknown = value[1];
  return members === null || (Array.isArray(members) && members.every(isTuple));
}

function stringOr<T>(value: unknown, other: T): string | T {
  return typeof value === 'string' ? value : other;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
