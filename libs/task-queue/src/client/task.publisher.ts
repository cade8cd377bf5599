import { hostname } from 'node:os';
import { v7 as uuid } from 'uuid';

import type { Broker, OutgoingTask } from '../brokers/broker.port.js';
import type { Clock } from '../clock/index.js';
import { NO_PUBLISH_HOOKS, type PublishedCall, type PublishHooks } from '../events/index.js';
import {
  type CodecRegistry,
  encodeEnvelope,
  JSON_CONTENT_TYPE,
  type TaskHeaders,
} from '../messages/index.js';
import { isoWithOffset } from '../results/index.js';
import { TaskContext } from '../tasks/index.js';
import type { RetryPolicy } from './apply-options.interface.js';
import type { MergedOptions } from './options.merger.js';
import { publishWithin } from './publish-attempts.js';

export interface PublisherSettings {
  readonly taskMaxPayloadBytes: number;
  /** Seconds. */
  readonly taskPublishTimeout: number;
}

/** A call that is ready to be sent. */
export interface Publication {
  readonly name: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly options: MergedOptions;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Makes the message of a call and brings it into the store. */
export class TaskPublisher {
  private readonly origin = `gen${process.pid}@${hostname()}`;

  constructor(
    private readonly broker: Pick<Broker, 'description' | 'publish'>,
    private readonly settings: PublisherSettings,
    private readonly codecs: CodecRegistry,
    private readonly clock: Clock,
    private readonly hooks: PublishHooks = NO_PUBLISH_HOOKS,
  ) {}

  /**
   * Publishes a call. When it resolves, the task is stored.
   *
   * @returns The id of the task.
   * @throws EncodeError - An argument or a header cannot be encoded, or all is too large.
   * @throws OperationalError - The store could not be reached within `task_publish_timeout`.
   */
  async publish(publication: Publication): Promise<string> {
    const { hooks } = this;
    const told = hooks.wantsBefore ? await this.ask(publication) : publication;
    const task = this.outgoing(told);
    await this.send([task], told.options.policy);
    if (hooks.wantsAfter) {
      hooks.after(callOf(told, task.id));
    }
    return task.id;
  }

  /** The message of a call, with a new id unless the call names one. */
  outgoing({ args, kwargs, name, options }: Publication): OutgoingTask {
    const id = options.taskId ?? uuid();
    const codec = this.codecs.resolve(options.serializer);
    const headers = this.headers(id, options);
    const data = encodeEnvelope(
      { id, task: name, args, kwargs, headers },
      {
        maxBytes: this.settings.taskMaxPayloadBytes,
        ...(codec.contentType !== JSON_CONTENT_TYPE && { codec }),
      },
    );
    return {
      id,
      name,
      queue: options.queue,
      data,
      ...(options.priority > 0 && { priority: options.priority }),
      ...(options.dueAt !== undefined && { dueAt: options.dueAt }),
      ...(options.expiresAt !== undefined && { expiresAt: options.expiresAt }),
    };
  }

  /** Stores tasks, with the retries of `policy`, within `task_publish_timeout` in all. */
  send(tasks: readonly OutgoingTask[], policy: RetryPolicy | null): Promise<void> {
    const timeout = this.settings.taskPublishTimeout * 1000;
    return publishWithin(this.broker, tasks, policy, timeout, this.clock);
  }

  /** The call with the headers that the listeners of beforeTaskPublish leave. */
  private async ask(publication: Publication): Promise<Publication> {
    const taskId = publication.options.taskId ?? uuid();
    const headers = await this.hooks.before(callOf(publication, taskId));
    return { ...publication, options: { ...publication.options, taskId, headers } };
  }

  private headers(id: string, options: MergedOptions): TaskHeaders {
    const headers: Writable<TaskHeaders> = { origin: this.origin };
    const { argsRepr, dueAt, expiresAt, ignoreResult, kwargsRepr, shadow } = options;
    const caller = TaskContext.current()?.request;
    const rootId = options.rootId ?? caller?.rootId;
    const parentId = options.parentId ?? caller?.id;
    if (rootId !== undefined && rootId !== id) headers.root_id = rootId;
    if (parentId !== undefined) headers.parent_id = parentId;
    if (dueAt !== undefined) headers.eta = isoWithOffset(dueAt);
    if (expiresAt !== undefined) headers.expires = isoWithOffset(expiresAt);
    if (options.priority > 0) headers.priority = options.priority;
    if (options.timeLimit !== undefined || options.softTimeLimit !== undefined) {
      headers.timelimit = [options.timeLimit ?? null, options.softTimeLimit ?? null];
    }
    if (shadow !== undefined) headers.shadow = shadow;
    if (argsRepr !== undefined) headers.argsrepr = argsRepr;
    if (kwargsRepr !== undefined) headers.kwargsrepr = kwargsRepr;
    if (ignoreResult !== undefined) headers.ignore_result = ignoreResult;
    if (options.headers !== undefined) headers.headers = options.headers;
    return headers;
  }
}

function callOf({ args, kwargs, name, options }: Publication, id: string): PublishedCall {
  const { dueAt, expiresAt, headers, queue } = options;
  return { id, task: name, queue, args, kwargs, headers, dueAt, expiresAt };
}
