import type { Clock, Timer } from '../../clock/index.js';
import type { WorkSign } from '../broker.port.js';
import type { MemoryStore } from './memory.store.js';

/** One running `waitForWork`. */
export class WorkWait {
  readonly signs: Promise<WorkSign[]>;
  readonly #queues: ReadonlySet<string>;
  readonly #deadline: number;
  readonly #stopListening: () => void;
  #settle!: (signs: WorkSign[]) => void;
  #timer: Timer | undefined;
  #ended = false;

  constructor(
    private readonly store: MemoryStore,
    private readonly clock: Clock,
    queues: readonly string[],
    timeout: number,
  ) {
    this.#queues = new Set(queues);
    this.#deadline = clock.now() + timeout;
    this.signs = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#stopListening = store.onWork((queue) => this.#queues.has(queue) && this.#look());
    this.#look();
  }

  /** Ends the wait. A no-op when it has ended. */
  end(signs: WorkSign[] = []): void {
    if (!this.#ended) {
      this.#ended = true;
      this.#timer?.clear();
      this.#stopListening();
      this.#settle(signs);
    }
  }

  #look(): void {
    const now = this.clock.now();
    const ready = [...this.#queues].filter((queue) => this.store.hasWork(queue, now));
    if (ready.length > 0 || now >= this.#deadline) {
      this.end(ready.map((queue) => ({ queue })));
      return;
    }
    const dueTimes = [...this.#queues].map((queue) => this.store.nextDueAt(queue) ?? Infinity);
    const wakeAt = Math.min(this.#deadline, ...dueTimes);
    this.#timer?.clear();
    this.#timer = this.clock.setTimer(wakeAt - now, () => this.#look());
  }
}
