import type { Broker, Seen } from '../brokers/broker.port.js';
import type { Clock, Timer } from '../clock/index.js';
import { OperationalError, TimeoutError } from '../errors/task-queue.errors.js';
import type { ResultBackend } from './result-backend.port.js';
import { ResultWatch, type ResultSubscriber } from './result.watch.js';
import type { TaskMeta } from './task-meta.interface.js';
import { isReadyState } from './task-state.js';

export interface WaitOptions {
  /** Seconds. `undefined`, `null` and `Infinity` wait for ever; 0 looks once. */
  readonly timeout?: number | null;
  /** Gives the wait up when it aborts; the wait then rejects with its reason. */
  readonly signal?: AbortSignal;
}

/**
 * Waits for results, without polling: one per process.
 *
 * A wait first asks the broker to be told of the id, then looks whether the result is there
 * already, then sleeps until the broker's word. All waits for one id share one watch, which ends
 * with the last of them, so a wait that is given up leaves nothing behind.
 */
export class ResultWaiter {
  private readonly watches = new Map<string, ResultWatch>();
  /** The ends of earlier watches; a new watch of the same id must not overtake them. */
  private readonly endings = new Map<string, Promise<void>>();
  private closed = false;

  constructor(
    private readonly broker: Pick<Broker, 'watch' | 'unwatch' | 'onResult'>,
    private readonly backend: ResultBackend,
    private readonly clock: Clock,
  ) {
    broker.onResult((id, payload) => this.watches.get(id)?.notify(payload));
  }

  /** How many ids are being watched. */
  get size(): number {
    return this.watches.size;
  }

  /**
   * Resolves with the final result of `id`.
   *
   * @throws TimeoutError - It did not arrive in time.
   * @throws OperationalError - The broker or the result store cannot be reached.
   * @throws RangeError - The timeout is negative or not a number.
   */
  wait(id: string, options: WaitOptions = {}): Promise<TaskMeta> {
    const { signal } = options;
    const timeout = options.timeout ?? Number.POSITIVE_INFINITY;
    if (!(timeout >= 0)) {
      return Promise.reject(
        new RangeError(
          `The timeout of get() is a number of seconds, 0 or more; it was ${String(timeout)}.`,
        ),
      );
    }
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined;
      let leave: (() => void) | undefined;
      let over = false;
      const end = (settle: () => void): void => {
        if (over) return;
        over = true;
        timer?.clear();
        signal?.removeEventListener('abort', onAbort);
        leave?.();
        settle();
      };
      const onAbort = (): void => end(() => reject(signal!.reason as Error));
      if (signal?.aborted) {
        onAbort();
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      if (timeout > 0 && timeout < Number.POSITIVE_INFINITY) {
        timer = this.clock.setTimer(timeout * 1000, () => end(() => reject(new TimeoutError())));
      }
      leave = this.subscribe(id, {
        onMeta: (meta) => {
          if (isReadyState(meta.status)) end(() => resolve(meta));
        },
        onLooked: () => {
          if (timeout === 0) end(() => reject(new TimeoutError()));
        },
        onError: (error) => end(() => reject(error)),
      });
    });
  }

  /**
   * Calls `subscriber.onMeta` with what is stored for `id` now, and then with each state stored
   * later, the final one last. Returns the function that ends it; after the final state it has
   * ended by itself.
   */
  subscribe(id: string, subscriber: ResultSubscriber): () => void {
    if (this.closed) {
      // Not at once: the caller does not have the function to unsubscribe yet.
      queueMicrotask(() => subscriber.onError(closedError()));
      return () => undefined;
    }
    let watch = this.watches.get(id);
    if (watch === undefined) {
      watch = new ResultWatch(id, this.backend, () => this.end(id));
      this.watches.set(id, watch);
      watch.start(this.begin(id));
    }
    return watch.join(subscriber);
  }

  /** Gives up every wait with an OperationalError. */
  async close(): Promise<void> {
    this.closed = true;
    for (const watch of this.watches.values()) {
      watch.fail(closedError());
    }
    await Promise.all(this.endings.values());
  }

  private async begin(id: string): Promise<Seen | void> {
    await this.endings.get(id);
    const seen = await this.broker.watch(id);
    return this.backend.inBroker ? seen : undefined;
  }

  private end(id: string): void {
    const watch = this.watches.get(id);
    if (watch === undefined) return;
    this.watches.delete(id);
    const ending = this.unwatch(id, watch).finally(() => {
      if (this.endings.get(id) === ending) this.endings.delete(id);
    });
    this.endings.set(id, ending);
  }

  private async unwatch(id: string, watch: ResultWatch): Promise<void> {
    try {
      await watch.started;
      await this.broker.unwatch(id);
    } catch {
      // A watch that could not be begun or ended is the driver's to clear up when it reconnects.
    }
  }
}

function closedError(): OperationalError {
  return new OperationalError(
    'The wait for the result was given up: the client was closed. Close it after the last get().',
  );
}
