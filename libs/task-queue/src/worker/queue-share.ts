/** How soon a queue found empty is looked at again while nobody waits for a sign, milliseconds. */
const LOOK_AGAIN_AFTER = 100;

/** How many tasks in a row a slot takes from one queue before the others have a turn. */
const BURST = 8;

interface QueueState {
  readonly name: string;
  /** Work may be waiting. */
  ready: boolean;
  /** Slots that run or fetch its tasks. */
  share: number;
  /** Fetches under way, and how many may be: it doubles while they succeed. */
  fetching: number;
  window: number;
  lastEmptyAt: number;
  /** Number of the last turn that the queue had. */
  lastTurn: number;
}

/**
 * Decides which queue gets the next free slot: of the queues that may have work, the one with
 * the fewest slots, then the one that waited longest. No queue can starve another.
 */
export class QueueShare {
  private readonly states: QueueState[];
  private readonly byName: Map<string, QueueState>;
  private turn = 0;

  constructor(
    queues: readonly string[],
    private readonly now: () => number,
  ) {
    this.states = queues.map((name) => ({
      name,
      ready: true,
      share: 0,
      fetching: 0,
      window: 1,
      lastEmptyAt: 0,
      lastTurn: 0,
    }));
    this.byName = new Map(this.states.map((state) => [state.name, state]));
  }

  get names(): string[] {
    return this.states.map((state) => state.name);
  }

  /** Work may be waiting in `queue`, or in every queue. */
  markReady(queue?: string): void {
    for (const state of this.states) {
      if (queue === undefined || state.name === queue) {
        state.ready = true;
      }
    }
  }

  /** Whether some queue may have work. */
  get anyReady(): boolean {
    return this.states.some((state) => state.ready);
  }

  /**
   * The queue to fetch from next, or `undefined`.
   *
   * @param lookAround - Whether queues found empty a while ago are candidates, too: for when
   * nobody waits for a sign of work.
   */
  next(lookAround: boolean): string | undefined {
    let best: QueueState | undefined;
    const oldest = this.now() - LOOK_AGAIN_AFTER;
    for (const state of this.states) {
      const candidate = state.ready || (lookAround && state.lastEmptyAt <= oldest);
      if (
        candidate &&
        state.fetching < state.window &&
        (!best ||
          state.share < best.share ||
          (state.share === best.share && state.lastTurn < best.lastTurn))
      ) {
        best = state;
      }
    }
    return best?.name;
  }

  fetchStarted(queue: string): void {
    const state = this.state(queue);
    state.fetching += 1;
    state.share += 1;
    state.lastTurn = this.turn += 1;
  }

  /** A fetch brought a task: its slot stays with the queue. */
  fetchFound(queue: string): void {
    const state = this.state(queue);
    state.fetching -= 1;
    state.ready = true;
    state.window = Math.min(state.window * 2, 1024);
  }

  fetchEmpty(queue: string): void {
    const state = this.state(queue);
    state.fetching -= 1;
    state.share -= 1;
    this.foundEmpty(queue);
  }

  fetchFailed(queue: string): void {
    const state = this.state(queue);
    state.fetching -= 1;
    state.share -= 1;
    state.window = 1;
  }

  /** The queue had nothing more when a slot finished. */
  foundEmpty(queue: string): void {
    const state = this.state(queue);
    state.ready = false;
    state.window = 1;
    state.lastEmptyAt = this.now();
  }

  slotEnded(queue: string): void {
    this.state(queue).share -= 1;
  }

  /** Whether a slot that ran `inARow` tasks of one queue may take the next one of it at once. */
  mayStay(inARow: number): boolean {
    return this.states.length === 1 || inARow % BURST !== 0;
  }

  private state(queue: string): QueueState {
    const state = this.byName.get(queue);
    if (!state) {
      throw new Error(`The queue '${queue}' is not consumed by this worker.`);
    }
    return state;
  }
}
