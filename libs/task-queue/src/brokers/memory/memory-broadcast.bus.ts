/** Tells one process of broadcasts. */
export type BroadcastChannel = (text: string) => void;

/** Who listens to broadcasts. */
export class MemoryBroadcastBus {
  readonly #channels = new Set<BroadcastChannel>();

  tell(text: string): void {
    for (const channel of this.#channels) {
      channel(text);
    }
  }

  /** Adds a channel. A no-op when it is there. */
  join(channel: BroadcastChannel): void {
    this.#channels.add(channel);
  }

  /** Takes a channel out. A no-op when it is not there. */
  leave(channel: BroadcastChannel): void {
    this.#channels.delete(channel);
  }
}
