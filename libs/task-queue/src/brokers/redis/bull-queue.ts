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

/** An id that is no task's, to see where BullMQ puts the id. */
const PROBE_ID = '{id}';

/** Bound of the packed options that are kept: one for every slot, in the long run. */
const MOST_PACKED_OPTIONS = 5000;

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
  /** What the names of the queue's keys begin with. */
  readonly base: string;
  readonly standardKeys: readonly string[];
  readonly delayedKeys: readonly string[];
  private readonly packedOptions = new Map<string, Buffer>();
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
    this.base = queueKeys.toKey(queueName, '');
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

  /**
   * BullMQ's packed options for the holder of `token`: to complete a job and to fetch the next.
   * A slot keeps its token from task to task, so they are packed once.
   */
  completedOptions(token: string): Buffer {
    let packed = this.packedOptions.get(token);
    if (!packed) {
      packed = optionsOf(this.completed(token));
      if (this.packedOptions.size >= MOST_PACKED_OPTIONS) {
        this.packedOptions.clear();
      }
      this.packedOptions.set(token, packed);
    }
    return packed;
  }

  /** BullMQ's packed options to keep a job in the failed set. */
  failedOptions(token: string): Buffer {
    const job = { id: 'x', opts: JOB_OPTIONS } as never;
    return optionsOf(this.moveToFailedArgs(job, 'x', false, token, true) as never);
  }

  /** KEYS and ARGV of `removeJob`. */
  removeArguments(id: string): ScriptArguments {
    return this.removeArgs(id, false);
  }

  /**
   * KEYS of BullMQ's `moveToFinished`, as Lua expressions of `base`, `id` and `target`.
   *
   * @throws Error when this version of BullMQ lays them out in another way.
   */
  static finishKeys(prefix: string): string[] {
    const probe = new BullQueue({} as never, 'queue', { prefix, lockDuration: 1 });
    const args = probe.completed('token');
    const base = `${prefix}:queue:`;
    const expressions: Readonly<Record<string, string>> = {
      [PROBE_ID]: 'base .. id',
      completed: 'base .. target',
      'metrics:completed': "base .. 'metrics:' .. target",
    };
    const values = args.slice(BULL_KEYS.moveToFinished).map(String);
    if (values[0] !== PROBE_ID || values[4] !== 'completed' || values[6] !== base) {
      throw new Error(
        'BullMQ lays out the arguments of moveToFinished in a way that this library does not ' +
          'know. Install the version of bullmq that nestjs-celery asks for.',
      );
    }
    return args.slice(0, BULL_KEYS.moveToFinished).map((key) => {
      const suffix = String(key).slice(base.length);
      return expressions[suffix] ?? `base .. '${suffix}'`;
    });
  }

  private completed(token: string): ScriptArguments {
    const job = { id: PROBE_ID, opts: JOB_OPTIONS } as never;
    return this.moveToCompletedArgs(job, 'null', true, token, true) as never;
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

/** The packed options among the arguments of `moveToFinished`. */
function optionsOf(args: ScriptArguments): Buffer {
  // msgpackr's buffers are views of a pool that is used again.
  return Buffer.from(args[BULL_KEYS.moveToFinished + 7] as Buffer);
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
