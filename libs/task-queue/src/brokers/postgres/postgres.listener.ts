import type { BrokerLogger } from '../broker-options.interface.js';
import type { ListenClient, PostgresSession } from './postgres.session.js';

/** Pauses between attempts to listen again, milliseconds; the last goes on. */
const PAUSES = [100, 250, 500, 1000, 2000, 5000];

/** What is done with a notification. */
export type NoticeHandler = (payload: string) => void;

/** The one connection of this process that listens for notifications. */
export class PostgresListener {
  readonly #handlers = new Map<string, NoticeHandler>();
  readonly #listening = new Set<string>();
  #client: ListenClient | undefined;
  #opening: Promise<void> | undefined;
  #pause: NodeJS.Timeout | undefined;
  #failures = 0;
  #wasLost = false;
  #closed = false;

  /**
   * @param onLost - The connection broke: notifications are missed from now on.
   * @param onRestored - It is back: what was missed has to be looked for.
   */
  constructor(
    private readonly session: PostgresSession,
    private readonly logger: BrokerLogger,
    private readonly onLost: () => void,
    private readonly onRestored: () => void,
  ) {
    session.onListenerLost(() => this.#lost());
  }

  /**
   * Resolves when notifications on `channel` cannot be missed from now on. Listens again by
   * itself whenever the connection breaks.
   *
   * @throws OperationalError
   */
  async listen(channel: string, handler: NoticeHandler, budget: number): Promise<void> {
    const isNew = !this.#handlers.has(channel);
    this.#handlers.set(channel, handler);
    if (this.#listening.has(channel)) {
      return;
    }
    try {
      await this.session.bounded(budget, () => this.#open());
    } catch (error) {
      if (isNew && !this.#listening.has(channel)) {
        this.#handlers.delete(channel);
      }
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#pause);
    this.#handlers.clear();
  }

  /** Brings the connection to listen on every channel; one attempt at a time. */
  async #open(): Promise<void> {
    while (!this.#closed && this.#missing().length > 0) {
      this.#opening ??= this.#attempt().finally(() => {
        this.#opening = undefined;
      });
      await this.#opening;
    }
  }

  async #attempt(): Promise<void> {
    const client = await this.session.listenClient();
    if (client !== this.#client) {
      this.#client = client;
      this.#listening.clear();
      client.on('notification', ({ channel, payload }) => {
        if (client === this.#client) {
          this.#handlers.get(channel)?.(payload ?? '');
        }
      });
    }
    for (const channel of this.#missing()) {
      await client
        .query({ text: `LISTEN "${channel}"`, query_timeout: this.session.endpoint.connectTimeout })
        .catch((error: unknown) => {
          this.session.discardListenClient();
          throw error;
        });
      if (client !== this.#client) {
        throw new Error('The listening connection broke while it was being set up');
      }
      this.#listening.add(channel);
    }
    this.#failures = 0;
    if (this.#wasLost) {
      this.#wasLost = false;
      this.logger.log(`Listening to ${this.session.endpoint.description} again.`);
      this.onRestored();
    }
  }

  #missing(): string[] {
    return [...this.#handlers.keys()].filter((channel) => !this.#listening.has(channel));
  }

  #lost(): void {
    const wasListening = this.#listening.size > 0;
    this.#client = undefined;
    this.#listening.clear();
    if (wasListening && !this.#closed) {
      this.#wasLost = true;
      this.logger.warn(
        `The connection that listens to ${this.session.endpoint.description} broke; ` +
          'connecting again.',
      );
      this.onLost();
      this.#openLater();
    }
  }

  #openLater(): void {
    clearTimeout(this.#pause);
    const pause = PAUSES[Math.min(this.#failures, PAUSES.length - 1)];
    this.#failures += 1;
    this.#pause = setTimeout(() => {
      this.#open().catch(() => {
        if (!this.#closed) {
          this.#openLater();
        }
      });
    }, pause);
  }
}
