import type { Delivery } from '../brokers/broker.port.js';
import { DecodeError } from '../errors/task-queue.errors.js';
import {
  decodeArgs,
  decodeEnvelope,
  type Codec,
  type CodecRegistry,
  type TaskHeaders,
} from '../messages/index.js';
import { TaskRequest, type RegisteredTask, type TaskRegistry } from '../tasks/index.js';

/** A header of ours: how often a task was put back after it ran, besides its lost workers. */
export interface PutBackHeaders extends TaskHeaders {
  readonly put_back?: number;
}

/** A delivery that could be read. */
export interface ReadTask {
  readonly delivery: Delivery;
  readonly request: TaskRequest;
  /** Absent: no task of that name is known here. */
  readonly task: RegisteredTask | undefined;
  readonly headers: PutBackHeaders;
  /** The arguments as they came. */
  readonly payload: string;
  readonly codec: Codec;
  /** How often the task was put back after it ran. */
  readonly putBacks: number;
  /** How often the task was delivered again, for a lost worker or because it was put back. */
  readonly redeliveries: number;
}

export interface DeliveryReaderDeps {
  readonly registry: Pick<TaskRegistry, 'get' | 'has'>;
  readonly codecs: CodecRegistry;
  readonly acceptContent: ReadonlySet<string>;
  readonly settings: { readonly taskIgnoreResult: boolean };
  /** The node's name, `celery@host`. */
  readonly nodeName: string;
}

/** Makes a request of what came from the store. */
export class DeliveryReader {
  constructor(private readonly deps: DeliveryReaderDeps) {}

  /** @returns The error, where the message cannot be read; it never quotes the message. */
  read(delivery: Delivery): ReadTask | Error {
    const { acceptContent, codecs, registry } = this.deps;
    const { data, name, redeliveries } = delivery;
    let message: Pick<ReadTask, 'headers' | 'payload' | 'codec'>;
    let decoded: ReturnType<typeof decodeArgs>;
    try {
      const { contentType, headers, payload } = decodeEnvelope(data, { acceptContent });
      if (name === '') {
        throw new DecodeError('It has no task name.');
      }
      const codec = codecs.resolve(contentType);
      message = { headers, payload, codec };
      decoded = decodeArgs(payload, codec);
    } catch (error) {
      return error as Error;
    }
    const task = registry.has(name) ? registry.get(name) : undefined;
    const putBacks = countOf(message.headers.put_back);
    const read = { ...message, delivery, task, putBacks, redeliveries: redeliveries + putBacks };
    return { ...read, request: this.request(read, decoded) };
  }

  private request(
    { delivery, headers, redeliveries, task }: Omit<ReadTask, 'request'>,
    { args, kwargs }: ReturnType<typeof decodeArgs>,
  ): TaskRequest {
    return new TaskRequest({
      message: { id: delivery.lease.id, task: delivery.name, headers },
      args,
      kwargs,
      hostname: this.deps.nodeName,
      queue: delivery.lease.queue,
      redelivered: redeliveries > 0,
      deliveryTag: delivery.lease.token,
      ignoreResult:
        headers.ignore_result ?? task?.options.ignoreResult ?? this.deps.settings.taskIgnoreResult,
    });
  }
}

/** The header may be anything when somebody else wrote it. */
function countOf(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0;
}
