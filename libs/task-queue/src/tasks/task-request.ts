import { inspect } from 'node:util';
import type { InspectOptions } from 'node:util';
import { reprArgs, reprKwargs } from '../messages/repr.js';
import type { TaskHeaders } from '../messages/task-message.interface.js';

/** What a `TaskRequest` is made of. */
export interface TaskRequestInit {
  readonly message: {
    readonly id: string;
    readonly task: string;
    readonly headers: Readonly<TaskHeaders>;
  };
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** The node that runs the task, for example `celery@host`. */
  readonly hostname: string;
  /** The queue that the task came from. */
  readonly queue: string;
  /** Whether a worker held the task before and was lost. Default: `false`. */
  readonly redelivered?: boolean;
  /** Whether the task runs in the process that called it. Default: `false`. */
  readonly isEager?: boolean;
  /** Whether the result is ignored after all, when more than the message decides. */
  readonly ignoreResult?: boolean;
  /** The broker's proof of delivery. Default: `null`. */
  readonly deliveryTag?: string;
}

/** Where the message came from. */
export interface DeliveryInfo {
  readonly exchange: string;
  /** The queue. */
  readonly routingKey: string;
  readonly priority: number;
  /** Whether a worker held the task before and was lost. */
  readonly redelivered: boolean;
}

/** What a message broker of Celery's would say about the message. */
export interface MessageProperties {
  /** The id of the task. */
  readonly correlationId: string;
  readonly replyTo: string | null;
  /** 2: messages are persistent. */
  readonly deliveryMode: number;
  readonly deliveryInfo: { readonly exchange: string; readonly routingKey: string };
  readonly priority: number;
  readonly bodyEncoding: string;
  readonly deliveryTag: string | null;
}

const NO_LIMITS: readonly [null, null] = Object.freeze([null, null]);
const NO_STAMPS: Readonly<Record<string, unknown>> = Object.freeze({});

/**
 * The message that is being run: Celery's `self.request`, in camelCase. `inspect(request)` and
 * `console.log` print it as Celery does, `<Context: { lang: 'js', task: ..., ... }>`, on one
 * line and with all fields. The printed arguments are the real ones; use `argsrepr` and
 * `kwargsrepr` where secrets must not appear.
 */
export class TaskRequest {
  /** The language of the producer; `js` unless the message says otherwise. */
  readonly lang: string;
  /** The name of the task. */
  readonly task: string;
  readonly id: string;
  /** A name to show in logs instead of the task's, or `null`. */
  readonly shadow: string | null;
  /** When the task was due, ISO 8601, or `null`. */
  readonly eta: string | null;
  /** When the task expires, ISO 8601, or `null`. */
  readonly expires: string | null;
  /** The id of the group that the task is a member of, or `null`. */
  readonly group: string | null;
  /** The position in the group, from 0, or `null`. */
  readonly groupIndex: number | null;
  /** How often the task was retried: 0 on the first run. */
  readonly retries: number;
  /** Hard and soft time limit given at the call, seconds; `null` where none was given. */
  readonly timelimit: readonly [number | null, number | null];
  /** The first task of the workflow; the task's own id when it was called from outside. */
  readonly rootId: string;
  /** The task that published this one, or `null`. */
  readonly parentId: string | null;
  /** The publisher, `gen<pid>@<host>`, or `null`. */
  readonly origin: string | null;
  readonly ignoreResult: boolean;
  /** How often the task was replaced by another. */
  readonly replacedTaskNesting: number;
  readonly stampedHeaders: readonly string[] | null;
  readonly stamps: Readonly<Record<string, unknown>>;
  readonly replyTo: string | null = null;
  /** The node that runs the task. */
  readonly hostname: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** Whether the task runs in the process that called it. */
  readonly isEager: boolean;
  readonly callbacks: readonly unknown[] | null = null;
  readonly errbacks: readonly unknown[] | null = null;
  readonly chain: readonly unknown[] | null = null;
  readonly chord: unknown = null;
  /** Always `false`: calling a task's method directly makes no request. */
  readonly calledDirectly: boolean = false;
  /** The headers given at the call, or `null`. */
  readonly headers: Readonly<Record<string, unknown>> | null;
  readonly _protected = 1;

  readonly #init: TaskRequestInit;

  constructor(init: TaskRequestInit) {
    const { message } = init;
    const { headers } = message;
    this.#init = init;
    this.lang = headers.lang ?? 'js';
    this.task = message.task;
    this.id = message.id;
    this.shadow = headers.shadow ?? null;
    this.eta = headers.eta ?? null;
    this.expires = headers.expires ?? null;
    this.group = headers.group ?? null;
    this.groupIndex = headers.group_index ?? null;
    this.retries = headers.retries ?? 0;
    this.timelimit = headers.timelimit ?? NO_LIMITS;
    this.rootId = headers.root_id ?? message.id;
    this.parentId = headers.parent_id ?? null;
    this.origin = headers.origin ?? null;
    this.ignoreResult = init.ignoreResult ?? headers.ignore_result ?? false;
    this.replacedTaskNesting = headers.replaced_task_nesting ?? 0;
    this.stampedHeaders = headers.stamped_headers ?? null;
    this.stamps = headers.stamps ?? NO_STAMPS;
    this.hostname = init.hostname;
    this.args = init.args;
    this.kwargs = init.kwargs;
    this.isEager = init.isEager ?? false;
    this.headers = headers.headers ?? null;
  }

  /** The id of the task. */
  get correlationId(): string {
    return this.id;
  }

  /** The positional arguments as text for logs, cut and with secrets redacted. */
  get argsrepr(): string {
    return this.#init.message.headers.argsrepr ?? reprArgs(this.args);
  }

  /** The keyword arguments as text for logs, cut and with secrets redacted. */
  get kwargsrepr(): string {
    return this.#init.message.headers.kwargsrepr ?? reprKwargs(this.kwargs);
  }

  get deliveryInfo(): DeliveryInfo {
    return {
      exchange: '',
      routingKey: this.#init.queue,
      priority: this.#priority,
      redelivered: this.#init.redelivered ?? false,
    };
  }

  get properties(): MessageProperties {
    return {
      correlationId: this.id,
      replyTo: this.replyTo,
      deliveryMode: 2,
      deliveryInfo: { exchange: '', routingKey: this.#init.queue },
      priority: this.#priority,
      bodyEncoding: 'utf-8',
      deliveryTag: this.#init.deliveryTag ?? null,
    };
  }

  get #priority(): number {
    return this.#init.message.headers.priority ?? 0;
  }

  /** All fields, computed ones included, in Celery's order. */
  toJSON(): Record<string, unknown> {
    return {
      lang: this.lang,
      task: this.task,
      id: this.id,
      shadow: this.shadow,
      eta: this.eta,
      expires: this.expires,
      group: this.group,
      groupIndex: this.groupIndex,
      retries: this.retries,
      timelimit: this.timelimit,
      rootId: this.rootId,
      parentId: this.parentId,
      argsrepr: this.argsrepr,
      kwargsrepr: this.kwargsrepr,
      origin: this.origin,
      ignoreResult: this.ignoreResult,
      replacedTaskNesting: this.replacedTaskNesting,
      stampedHeaders: this.stampedHeaders,
      stamps: this.stamps,
      properties: this.properties,
      replyTo: this.replyTo,
      correlationId: this.correlationId,
      hostname: this.hostname,
      deliveryInfo: this.deliveryInfo,
      args: this.args,
      kwargs: this.kwargs,
      isEager: this.isEager,
      callbacks: this.callbacks,
      errbacks: this.errbacks,
      chain: this.chain,
      chord: this.chord,
      calledDirectly: this.calledDirectly,
      headers: this.headers,
      _protected: 1,
    };
  }

  [inspect.custom](depth: number | null, options: InspectOptions): string {
    if (depth !== null && depth < 0) {
      return '<Context>';
    }
    const oneLine = { ...options, depth, breakLength: Infinity, compact: true };
    return `<Context: ${inspect(this.toJSON(), oneLine)}>`;
  }
}
