import type { ResultListener, Seen } from '../broker.port.js';
import type { RedisClient } from './redis-clients.js';
import type { RedisKeys } from './redis-keys.js';

/** How long a watch that nobody ends stays in the store, milliseconds. */
const WATCH_TTL = 24 * 60 * 60 * 1000;

/** Ours or Python's. */
const FINAL_PAYLOAD = /^\{"status":\s*"(SUCCESS|FAILURE|REVOKED)"/;

export interface RedisNotifierDeps {
  readonly keys: RedisKeys;
  /** A name for this process that no other has. */
  readonly processId: string;
  subscriber(): RedisClient;
  /** Waits until the subscriber is connected. */
  subscriberReady(client: RedisClient): Promise<void>;
  run<T>(doing: string, command: (client: RedisClient) => Promise<T>): Promise<T>;
}

/**
 * Notifications of results: one channel for this process. Who waits for an id puts the channel
 * into the id's watch set; who stores a result tells every channel in the set.
 */
export class RedisNotifier {
  private readonly watched = new Set<string>();
  private listener: ResultListener = () => undefined;
  private onControl: ((text: string) => void) | undefined;
  private subscribed: Promise<void> | undefined;
  private everReady = false;

  constructor(private readonly deps: RedisNotifierDeps) {}

  onResult(listener: ResultListener): void {
    this.listener = listener;
  }

  /** Hears what `broadcast` says, in this process too. */
  async onBroadcast(listener: (text: string) => void): Promise<void> {
    this.onControl = listener;
    await this.subscribe();
    // ioredis subscribes again by itself after a reconnect.
    await this.deps.subscriber().subscribe(this.deps.keys.control);
  }

  async broadcast(text: string): Promise<void> {
    await this.deps.run('Broadcasting', (client) => client.publish(this.deps.keys.control, text));
  }

  async watch(id: string): Promise<Seen> {
    this.watched.add(id);
    try {
      await this.subscribe();
      const payload = await this.register(id);
      return payload === null ? {} : { payload };
    } catch (error) {
      this.watched.delete(id);
      throw error;
    }
  }

  async unwatch(id: string): Promise<void> {
    if (this.watched.delete(id)) {
      const { keys, processId } = this.deps;
      await this.deps.run('Ending a wait', (client) =>
        client.srem(keys.watch(id), keys.channel(processId)),
      );
    }
  }

  private subscribe(): Promise<void> {
    // A failed attempt is forgotten, so that the next watch tries again.
    this.subscribed ??= this.openSubscription().catch((error: unknown) => {
      this.subscribed = undefined;
      throw error;
    });
    return this.subscribed;
  }

  private async openSubscription(): Promise<void> {
    const client = this.deps.subscriber();
    client.removeAllListeners('message');
    client.removeAllListeners('ready');
    client.on('message', (channel: string, text: string) => {
      if (channel === this.deps.keys.control) {
        this.onControl?.(text);
      } else {
        this.hear(text);
      }
    });
    client.on('ready', () => this.reconnected());
    await this.deps.subscriberReady(client);
    this.everReady = true;
    await client.subscribe(this.deps.keys.channel(this.deps.processId));
  }

  private hear(text: string): void {
    const end = text.indexOf('\0');
    const id = text.slice(0, end);
    const payload = text.slice(end + 1);
    if (this.watched.has(id)) {
      if (FINAL_PAYLOAD.test(payload)) {
        // Who stores a final result ends the watch itself.
        this.watched.delete(id);
      }
      this.listener(id, payload === '' ? undefined : payload);
    }
  }

  /** Notifications may have been missed meanwhile: watch again, and let everybody look. */
  private reconnected(): void {
    if (!this.everReady || this.watched.size === 0) {
      return;
    }
    const ids = [...this.watched];
    Promise.all(ids.map((id) => this.register(id)))
      .then((payloads) =>
        payloads.forEach((payload, i) => this.listener(ids[i]!, payload ?? undefined)),
      )
      .catch(() => setTimeout(() => this.reconnected(), 500).unref());
  }

  /** @returns What is stored for the id, or `null`. */
  private register(id: string): Promise<string | null> {
    const { keys, processId } = this.deps;
    return this.deps.run('Waiting for a result', (client) =>
      client.celeryWatch(1, keys.watch(id), id, keys.channel(processId), WATCH_TTL),
    );
  }
}
