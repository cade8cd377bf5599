import type { OutgoingTask } from '../brokers/broker.port.js';
import { retriedHeaders } from '../client/retried.headers.js';
import type { Retry } from '../errors/task-queue.errors.js';
import {
  decodeArgs,
  encodeEnvelope,
  jsonCodec,
  parseIsoDate,
  type TaskHeaders,
} from '../messages/index.js';
import type { PutBackHeaders, ReadTask } from './delivery.reader.js';

type Publishing = Omit<OutgoingTask, 'id' | 'name' | 'data'>;

/**
 * The message of a retry: the same id, one more in `retries`, and what the retry changes.
 *
 * @param now - Milliseconds since the epoch.
 * @param maxBytes - Largest message, when the arguments are new.
 * @throws EncodeError - A new argument or header cannot be encoded, or all is too large.
 */
export function retryMessage(
  read: ReadTask,
  retry: Retry,
  now: number,
  maxBytes: number,
): OutgoingTask {
  const { put_back: _, ...kept } = read.headers;
  const { headers, ...times } = retriedHeaders(kept, retry, now);
  const { args, kwargs, queue = read.delivery.lease.queue } = retry.changes;
  const isNew = args !== undefined || kwargs !== undefined;
  // As they came: what the task did to its arguments does not count.
  const before = decodeArgs(read.payload, read.codec);
  const next = { args: args ?? before.args, kwargs: kwargs ?? before.kwargs };
  return outgoing(read, next, headers, { queue, ...times }, isNew ? maxBytes : Infinity);
}

/** The message of a task that is put back after it ran, as it is. */
export function putBackMessage(read: ReadTask): OutgoingTask {
  const { eta: _, ...kept } = read.headers;
  const headers: PutBackHeaders = { ...kept, put_back: read.putBacks + 1 };
  const expiresAt = kept.expires ? parseIsoDate(kept.expires)?.getTime() : undefined;
  const publishing = {
    queue: read.delivery.lease.queue,
    ...(expiresAt !== undefined && { expiresAt }),
  };
  return outgoing(read, decodeArgs(read.payload, read.codec), headers, publishing, Infinity);
}

function outgoing(
  { codec, delivery }: ReadTask,
  { args, kwargs }: NextArguments,
  headers: TaskHeaders,
  publishing: Publishing,
  maxBytes: number,
): OutgoingTask {
  const { id } = delivery.lease;
  const priority = headers.priority ?? 0;
  return {
    ...publishing,
    id,
    name: delivery.name,
    data: encodeEnvelope(
      { id, task: delivery.name, args, kwargs, headers },
      { maxBytes, ...(codec !== jsonCodec && { codec }) },
    ),
    ...(priority > 0 && { priority }),
  };
}

interface NextArguments {
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
}
