import { QueueKeys, RedisConnection, RedisQueueBackend, type JobJson } from 'bullmq';
import { Packr } from 'msgpackr';
import type { OutgoingTask } from '../broker.port.js';
import { BULL_KEYS, type KeyLayout } from './scripts/index.js';

/** A call of one of BullMQ's scripts: KEYS and ARGV in one list. */
export type ScriptArguments = readonly (string | number | Buffer)[];

/** An added task as the flat list of the publish script wants it. */
export interface EncodedTask {
  /** `s` standard, `d` delayed, `p` prioritised, `dp` both. */
  readonly kind: 's' | 'd' | 'p' | 'dp';
  readonly args: ScriptArguments;
}

const JOB_OPTIONS = { attempts: 1, removeOnComplete: true } as const;

/** A task without delay and priority, as BullMQ's script wants it. */
interface StandardTask {
  readonly options: Buffer;
  /** The packed arguments, to be filled in and packed anew. */
  readonly values: unknown[];
  readonly idAt: number;
  readonly nameAt: number;
  readonly timeAt: number;
}

/** Packs as BullMQ packs. */
const packer = new Packr({ useRecords: false, encodeUndefinedAsNil: true });

/** The highest of the priorities of tasks. */
const HIGHEST_PRIORITY = 9;

/** An id that is no task's, to see where BullMQ puts the id. */
const PROBE_ID = '{id}';

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
  private standardTask: StandardTask | undefined;
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
  }

  override execCommand(client: never, commandName: string, args: any[]): any {
    if (this.capturing) {
      this.captured = args as ScriptArguments;
      return '';
    }
    return super.execCommand(client, commandName, args);
  }

  /** BullMQ's packed options of a task without delay and priority. */
  get standardOptions(): Buffer {
    return this.standard.options;
  }

  /**
   * BullMQ's packed arguments of such a task: those of the probe, with this task's id, name and
   * time in their places. `encode` gives the same, and costs more.
   */
  packStandard({ id, name }: OutgoingTask, now: number): Buffer {
    const { values } = this.standard;
    values[this.standard.idAt] = id;
    values[this.standard.nameAt] = name;
    values[this.standard.timeAt] = now;
    return packer.pack(values);
  }

  private get standard(): StandardTask {
    return (this.standardTask ??= this.probeStandard());
  }

  private probeStandard(): StandardTask {
    const time = 1_234_567_890_123;
    const task = { id: PROBE_ID, name: '{name}', data: '', queue: this.name };
    const [packed, , options] = this.encode(task, time).args;
    const values = packer.unpack(packed as Buffer) as unknown[];
    const places = [PROBE_ID, '{name}', time].map((value) => values.indexOf(value));
    if (places.includes(-1)) {
      throw unknownLayout('addStandardJob');
    }
    const [idAt, nameAt, timeAt] = places as [number, number, number];
    return { options: Buffer.from(options as Buffer), values, idAt, nameAt, timeAt };
  }

  /** ARGV of BullMQ's script that adds `task`. */
  encode(task: OutgoingTask, now: number): EncodedTask {
    const { kind, args } = this.captureAdd(task, now);
    return { kind, args: args.slice(keyCountOf(kind)) };
  }

  private captureAdd(task: OutgoingTask, now: number): EncodedTask {
    const delay = Math.max(0, Math.ceil((task.dueAt ?? 0) - now));
    const priority = toBullPriority(task.priority ?? 0);
    const job: JobJson = {
      id: task.id,
      name: task.name,
      data: task.data,
      opts:
        delay > 0 || priority > 0
          ? { ...JOB_OPTIONS, ...(delay > 0 && { delay }), ...(priority > 0 && { priority }) }
          : JOB_OPTIONS,
      timestamp: now,
      delay,
      priority,
      progress: 0,
      attemptsMade: 0,
    } as unknown as JobJson;
    const args = this.capture(() => void this.addJobToTransaction({} as never, job, task.id));
    const kind = delay > 0 ? (priority > 0 ? 'dp' : 'd') : priority > 0 ? 'p' : 's';
    return { kind, args };
  }

  /**
   * BullMQ's packed options to complete a job and to fetch the next, in two parts: between them
   * go the length of the token, one byte, and the token.
   *
   * @throws Error when this version of BullMQ packs them in another way.
   */
  static packedOptions(options: BullQueueOptions): { before: Buffer; after: Buffer } {
    const probe = new BullQueue({} as never, 'queue', options);
    const pack = (token: string): Buffer => optionsOf(probe.completed(token));
    const [token, longer] = ['t'.repeat(40), 'u'.repeat(60)];
    const packed = pack(token);
    const at = packed.indexOf(token);
    const before = packed.subarray(0, at - 1);
    const after = packed.subarray(at + token.length);
    const rebuilt = Buffer.concat([
      before,
      Buffer.from([longer.length]),
      Buffer.from(longer),
      after,
    ]);
    if (at < 1 || !rebuilt.equals(pack(longer))) {
      throw unknownLayout('moveToFinished');
    }
    return { before, after };
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
   * KEYS of BullMQ's scripts, as Lua expressions of `base`, `id` and `target`.
   *
   * @throws Error when this version of BullMQ lays them out in another way.
   */
  static keyLayout(prefix: string): KeyLayout {
    const probe = new BullQueue({} as never, 'queue', { prefix, lockDuration: 1 });
    const { base } = probe;
    const finish = probe.completed('token');
    const values = finish.slice(BULL_KEYS.moveToFinished).map(String);
    if (values[0] !== PROBE_ID || values[4] !== 'completed' || values[6] !== base) {
      throw unknownLayout('moveToFinished');
    }
    const task = { id: 'x', name: 'x', data: '', queue: 'queue' };
    const suffixes = (args: ScriptArguments, count: number): string[] =>
      args.slice(0, count).map((key) => String(key).slice(base.length));
    const keysOf = (more: Partial<OutgoingTask>): string[] => {
      const { kind, args } = probe.captureAdd({ ...task, ...more }, 0);
      return suffixes(args, keyCountOf(kind)).map((suffix) => `base .. '${suffix}'`);
    };
    return {
      moveToFinished: suffixes(finish, BULL_KEYS.moveToFinished).map(
        (suffix) => FINISH_EXPRESSIONS[suffix] ?? `base .. '${suffix}'`,
      ),
      addStandardJob: keysOf({}),
      addDelayedJob: keysOf({ dueAt: 1 }),
      addPrioritizedJob: keysOf({ priority: 1 }),
    };
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
}

/** BullMQ's 1 is the highest, and its 0, for none, comes before all: a fetch sees to that. */
function toBullPriority(priority: number): number {
  return priority > 0 ? HIGHEST_PRIORITY + 1 - priority : 0;
}

export function fromBullPriority(priority: number): number {
  return priority > 0 ? HIGHEST_PRIORITY + 1 - priority : 0;
}

function unknownLayout(script: string): Error {
  return new Error(
    `BullMQ lays out the arguments of ${script} in a way that this library does not know. ` +
      'Install the version of bullmq that nestjs-celery asks for.',
  );
}

/** How many of the captured arguments are KEYS. */
function keyCountOf(kind: EncodedTask['kind']): number {
  switch (kind) {
    case 's':
      return BULL_KEYS.addStandardJob;
    case 'p':
      return BULL_KEYS.addPrioritizedJob;
    default:
      return BULL_KEYS.addDelayedJob;
  }
}

/** Keys of `moveToFinished` that are not the same for every call. */
const FINISH_EXPRESSIONS: Readonly<Record<string, string>> = {
  [PROBE_ID]: 'base .. id',
  completed: 'base .. target',
  'metrics:completed': "base .. 'metrics:' .. target",
};

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
