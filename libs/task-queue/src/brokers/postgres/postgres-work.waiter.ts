import type { Clock, Timer } from '../../clock/index.js';
import type { WorkSign } from '../broker.port.js';
import { toLocalTime } from './server-time.util.js';

/** What the store says of a queue: whether there is work, and when delayed work is due. */
interface WorkRow {
  readonly o_queue: string;
  readonly o_ready: boolean;
  readonly o_due: string | null;
  readonly o_now: string;
}

export interface PostgresWorkWaiterOptions {
  readonly clock: Clock;
  /** Makes sure that notifications arrive. */
  readonly listen: () => Promise<void>;
  /** Looks into the store. */
  readonly look: (queues: readonly string[]) => Promise<unknown[]>;
}

/**
 * Waits for work: for the notification of a publish or the due time of a delayed task. The store
 * is looked into once at the start of each wait, so nothing depends on what was noticed before.
 */
export class PostgresWorkWaiter {
  /** Queues that were noticed while nobody waited for them. */
  readonly #noticed = new Set<string>();
  #queues: ReadonlySet<string> = new Set();
  #end: ((signs: WorkSign[]) => void) | undefined;

  constructor(private readonly options: PostgresWorkWaiterOptions) {}

  /** A task was published into `queue`. */
  notice(queue: string): void {
    if (this.#end && this.#queues.has(queue)) {
      this.#end([{ queue }]);
    } else {
      this.#noticed.add(queue);
    }
  }

  /** Forgets what was noticed of a queue that is about to be fetched from. */
  forget(queue: string): void {
    this.#noticed.delete(queue);
  }

  /** Nothing that was noticed can be relied on: ends a running wait with all its queues. */
  doubt(): void {
    this.#end?.([...this.#queues].map((queue) => ({ queue })));
  }

  wakeUp(): void {
    this.#end?.([]);
  }

  async wait(queues: readonly string[], timeout: number): Promise<WorkSign[]> {
    const known = queues.filter((queue) => this.#noticed.delete(queue));
    if (known.length > 0) {
      return known.map((queue) => ({ queue }));
    }
    const { clock } = this.options;
    const deadline = clock.now() + timeout;
    let timer: Timer | undefined;
    this.#queues = new Set(queues);
    const signs = new Promise<WorkSign[]>((resolve) => {
      this.#end = resolve;
      timer = clock.setTimer(timeout, () => resolve([]));
    });
    const end = this.#end;
    const looked = async (): Promise<WorkSign[]> => {
      const { ready, dueTimes } = await this.#look(queues);
      if (ready.length > 0) {
        return ready;
      }
      const dueAt = Math.min(...dueTimes.values());
      // Not when the wait has ended meanwhile.
      if (dueAt < deadline && this.#end === end) {
        timer?.clear();
        const due = [...dueTimes.keys()].filter((queue) => dueTimes.get(queue)! <= dueAt);
        timer = clock.setTimer(dueAt - clock.now(), () => end?.(due.map((queue) => ({ queue }))));
      }
      return signs;
    };
    try {
      return await Promise.race([signs, looked()]);
    } finally {
      this.#end = undefined;
      timer?.clear();
    }
  }

  async #look(
    queues: readonly string[],
  ): Promise<{ ready: WorkSign[]; dueTimes: Map<string, number> }> {
    if (queues.length === 0) {
      return { ready: [], dueTimes: new Map() };
    }
    await this.options.listen();
    const asked = this.options.clock.now();
    const rows = (await this.options.look(queues)) as WorkRow[];
    const answered = this.options.clock.now();
    const ready = rows.filter((row) => row.o_ready).map((row) => ({ queue: row.o_queue }));
    const dueTimes = new Map<string, number>();
    for (const { o_queue, o_due, o_now } of rows) {
      if (o_due !== null) {
        dueTimes.set(o_queue, toLocalTime(Number(o_due), Number(o_now), asked, answered));
      }
    }
    return { ready, dueTimes };
  }
}
