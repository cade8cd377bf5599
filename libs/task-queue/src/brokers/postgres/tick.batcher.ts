interface Waiting<T> {
  readonly item: T;
  resolve(): void;
  reject(error: unknown): void;
}

export interface TickBatcherOptions<T> {
  /** Stores the items of one batch together. */
  readonly store: (items: readonly T[]) => Promise<void>;
  /** How much of a batch an item fills. Default: 1 for each. */
  readonly weight?: (item: T) => number;
  /** The weight at which a batch is full. An item may weigh more; it is then alone in its batch. */
  readonly limit: number;
  /** Whether an error says that one item is bad, so that the others are worth storing alone. */
  readonly isItemsFault: (error: unknown) => boolean;
}

/** Collects what is given to it in one turn of the event loop, and stores it in one step. */
export class TickBatcher<T> {
  #waiting: Waiting<T>[] = [];

  constructor(private readonly options: TickBatcherOptions<T>) {}

  /** Resolves when the item is stored. */
  add(item: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#waiting.length === 1) {
        process.nextTick(() => this.#flush());
      }
    });
  }

  #flush(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const { weight, limit } = this.options;
    let batch: Waiting<T>[] = [];
    let filled = 0;
    for (const one of waiting) {
      const size = weight?.(one.item) ?? 1;
      if (batch.length > 0 && filled + size > limit) {
        void this.#store(batch);
        batch = [];
        filled = 0;
      }
      batch.push(one);
      filled += size;
    }
    void this.#store(batch);
  }

  async #store(batch: readonly Waiting<T>[]): Promise<void> {
    try {
      await this.options.store(batch.map(({ item }) => item));
      batch.forEach((one) => one.resolve());
    } catch (error) {
      if (batch.length > 1 && this.options.isItemsFault(error)) {
        await Promise.all(batch.map((one) => this.#store([one])));
      } else {
        batch.forEach((one) => one.reject(error));
      }
    }
  }
}
