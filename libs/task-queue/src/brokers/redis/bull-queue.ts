import { QueueKeys, RedisConnection, RedisQueueBackend, type JobJson } from 'bullmq';
import type { OutgoingTask } from '../broker.port.js';
import { BULL_KEYS } from './redis-scripts.js';

/** A call of one of BullMQ's scripts: KEYS and ARGV in one list. */
export type ScriptArguments = readonly (string | number | Buffer)[];

/** An added task as the flat list of the publish script wants it. */
export interface EncodedTask {
  readonly kind: 's' | 'd';
  readonly args: ScriptArguments;
}

const JOB_OPTIONS = { attempts: 1, removeOnComplete: true } as const;

/** What a queue of ours needs of BullMQ's options. */
export interface BullQueueOptions {
  readonly prefix: string;
  /** Milliseconds. */
  readonly lockDuration: number;
}

/**
 * BullMQ's backend for one queue, which can also say what it would send: its arguments are laid
 * out by BullMQ itself, and our scripts use them as they are.
 */
export class BullQueue extends RedisQueueBackend {
  readonly standardKeys: readonly string[];
  readonly delayedKeys: readonly string[];
  private captured: ScriptArguments | undefined;
  private capturing = false;

  constructor(connection: RedisConnection, queueName: string, options: BullQueueOptions) {
    const queueKeys = new QueueKeys(options.prefix);
    super(
      connection,
      queueName,
      queueKeys.getKeys(queueName),
      (type) => queueKeys.toKey(queueName, type),
      {
        connection: {},
        prefix: options.prefix,
        lockDuration: options.lockDuration,
        // We decide on lost workers ourselves, from the count of redeliveries.
        maxStalledCount: 1e9,
        stalledInterval: 1,
      } as never,
      undefined,
      false,
    );
    const probe = { id: 'x', name: 'x', data: '', opts: {}, queue: queueName } as never;
    this.standardKeys = this.keysOf(this.encode({ ...(probe as OutgoingTask) }, 0));
    this.delayedKeys = this.keysOf(this.encode({ ...(probe as OutgoingTask), dueAt: 1 }, 0));
  }

  override execCommand(client: never, commandName: string, args: any[]): any {
    if (this.capturing) {
      this.captured = args as ScriptArguments;
      return '';
    }
    return super.execCommand(client, commandName, args);
  }

  /** KEYS and ARGV of BullMQ's script that adds `task`. */
  encode(task: OutgoingTask, now: number): EncodedTask {
    const delay = Math.max(0, Math.ceil((task.dueAt ?? 0) - now));
    const job: JobJson = {
      id: task.id,
      name: task.name,
      data: task.data,
      opts: delay > 0 ? { ...JOB_OPTIONS, delay } : JOB_OPTIONS,
      timestamp: now,
      delay,
      priority: 0,
      progress: 0,
      attemptsMade: 0,
    } as unknown as JobJson;
    const args = this.capture(() => void this.addJobToTransaction({} as never, job, task.id));
    return { kind: delay > 0 ? 'd' : 's', args };
  }

  /** KEYS and ARGV of `moveToFinished` for a completed job. */
  completedArguments(id: string, token: string, fetchNext: boolean): ScriptArguments {
    const job = { id, opts: JOB_OPTIONS } as never;
    return this.moveToCompletedArgs(job, 'null', true, token, fetchNext) as never;
  }

  /** KEYS and ARGV of `moveToFinished` for a job that is kept with the reason. */
  failedArguments(id: string, token: string, reason: string, fetchNext: boolean): ScriptArguments {
    const job = { id, opts: JOB_OPTIONS } as never;
    return this.moveToFailedArgs(job, reason, false, token, fetchNext) as never;
  }

  /** KEYS and ARGV of `moveToActive`: those of `moveToFinished` hold the same, made at once. */
  fetchArguments(token: string): ScriptArguments {
    const finish = this.completedArguments('', token, true);
    const keys = BULL_KEYS.moveToFinished;
    return [
      ...finish.slice(0, BULL_KEYS.moveToActive - 1),
      finish[keys - 1]!,
      finish[keys + 6]!,
      finish[keys + 1]!,
      finish[keys + 7]!,
    ];
  }

  /** KEYS and ARGV of `removeJob`. */
  removeArguments(id: string): ScriptArguments {
    return this.removeArgs(id, false);
  }

  private capture(call: () => void): ScriptArguments {
    this.capturing = true;
    try {
      call();
      return this.captured ?? [];
    } finally {
      this.capturing = false;
      this.captured = undefined;
    }
  }

  private keysOf({ kind, args }: EncodedTask): string[] {
    const count = kind === 'd' ? BULL_KEYS.addDelayedJob : BULL_KEYS.addStandardJob;
    return args.slice(0, count) as string[];
  }
}

/** The queues of one connection, made at their first use. */
export class BullQueues {
  private readonly queues = new Map<string, BullQueue>();
  private connection: RedisConnection | undefined;

  constructor(
    private readonly client: () => unknown,
    private readonly options: BullQueueOptions,
  ) {}

  get(name: string): BullQueue {
    let queue = this.queues.get(name);
    if (!queue) {
      this.connection ??= this.connect();
      queue = new BullQueue(this.connection, name, this.options);
      this.queues.set(name, queue);
    }
    return queue;
  }

  private connect(): RedisConnection {
    // Shared: the client is ours to close. Unchecked: a check of the version while the store is
    // away would spoil the connection for good.
    const connection = new RedisConnection(this.client() as never, {
      shared: true,
      blocking: false,
      skipVersionCheck: true,
      skipWaitingForReady: true,
    });
    connection.on('error', () => undefined);
    return connection;
  }
}
