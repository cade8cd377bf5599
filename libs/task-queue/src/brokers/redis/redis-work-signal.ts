import type { WorkSign } from '../broker.port.js';
import type { RedisClient } from './redis-clients.js';
import type { RedisKeys } from './redis-keys.js';

/** How much longer than asked a blocking command may take before its connection is renewed, ms. */
const WATCHDOG_MARGIN = 2000;

export interface RedisWorkSignalDeps {
  readonly keys: RedisKeys;
  readonly processId: string;
  /** The connection that may block, ready to be used. */
  blocking(): Promise<RedisClient>;
  /** A connection that never blocks. */
  command(): RedisClient;
}

/**
 * Waits on BullMQ's markers of many queues with one blocking command. A marker with a score
 * stands for a delayed task that is due then.
 */
export class RedisWorkSignal {
  private waiting: RedisClient | undefined;
  private rotation = 0;
  private closed = false;

  constructor(private readonly deps: RedisWorkSignalDeps) {}

  async wait(queues: readonly string[], timeout: number): Promise<WorkSign[]> {
    const { keys, processId } = this.deps;
    const client = await this.deps.blocking();
    if (this.closed) {
      return [];
    }
    // BZPOPMIN serves the first key that has something: taking turns keeps the order fair.
    this.rotation = (this.rotation + 1) % Math.max(1, queues.length);
    const turned = [...queues.slice(this.rotation), ...queues.slice(0, this.rotation)];
    const wakeKey = keys.wake(processId);
    this.waiting = client;
    // ioredis re-sends nothing here; a connection that went silent is found by the watchdog.
    const watchdog = setTimeout(() => client.disconnect(true), timeout + WATCHDOG_MARGIN);
    try {
      const popped = await client.bzpopmin(
        wakeKey,
        ...turned.map((queue) => keys.marker(queue)),
        Math.max(timeout / 1000, 0.01),
      );
      return popped && popped[0] !== wakeKey ? [this.toSign(popped[0], Number(popped[2]))] : [];
    } catch (error) {
      if (this.closed) {
        return [];
      }
      throw error;
    } finally {
      clearTimeout(watchdog);
      this.waiting = undefined;
    }
  }

  wakeUp(): void {
    if (this.waiting && !this.closed) {
      const { keys, processId } = this.deps;
      const key = keys.wake(processId);
      const client = this.deps.command();
      client
        .pipeline()
        .zadd(key, 0, 'wake')
        .pexpire(key, 60_000)
        .exec()
        .catch(() => undefined);
    }
  }

  close(): void {
    this.closed = true;
    this.waiting?.disconnect();
  }

  private toSign(marker: string, score: number): WorkSign {
    const queue = this.deps.keys.queueOfMarker(marker);
    return score > 0 ? { queue, dueAt: score } : { queue };
  }
}
