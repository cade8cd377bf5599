import type { Seen } from '../brokers/broker.port.js';
import type { ResultBackend } from './result-backend.port.js';
import { decodeMeta } from './task-meta.codec.js';
import type { TaskMeta } from './task-meta.interface.js';
import { isReadyState } from './task-state.js';

/** Who is told of the states of one id. None of these may throw. */
export interface ResultSubscriber {
  onMeta(meta: TaskMeta): void;
  /** The store was looked into for the first time, after `onMeta` when there was something. */
  onLooked?(): void;
  /** The watch is over: the broker or the store failed, or what is stored cannot be read. */
  onError(error: Error): void;
}

/** The watch of one id, shared by everybody who waits for it. Made by `ResultWaiter`. */
export class ResultWatch {
  /** Resolves when the broker's watch has begun; rejects when it could not. */
  started: Promise<unknown> = Promise.resolve();
  private readonly subscribers = new Set<ResultSubscriber>();
  private latest: { text: string; meta: TaskMeta } | undefined;
  private looked = false;
  private over = false;

  /** @param onEmpty - Called once, when nobody is left. */
  constructor(
    private readonly id: string,
    private readonly backend: ResultBackend,
    private readonly onEmpty: () => void,
  ) {}

  /** @param started - Resolves with what the store had, where the broker saw it already. */
  start(started: Promise<Seen | void>): void {
    this.started = started;
    started.then(
      (seen) => (seen ? this.see(seen.payload) : this.look()),
      (error: Error) => this.fail(error),
    );
  }

  join(subscriber: ResultSubscriber): () => void {
    this.subscribers.add(subscriber);
    if (this.looked || this.latest !== undefined) {
      // Not at once: the caller does not have the function to unsubscribe yet.
      queueMicrotask(() => this.catchUp(subscriber));
    }
    return () => this.leave(subscriber);
  }

  /** The broker's word that something was stored; without the text, the store has it. */
  notify(text: string | undefined): void {
    if (text === undefined) {
      void this.look();
    } else {
      this.tell(text);
    }
  }

  fail(error: Error): void {
    this.finish((subscriber) => subscriber.onError(error));
  }

  private async look(): Promise<void> {
    if (this.over) return;
    let text: string | undefined;
    try {
      text = await this.backend.get(this.id);
    } catch (error) {
      this.fail(error as Error);
      return;
    }
    this.see(text);
  }

  private see(text: string | undefined): void {
    if (text !== undefined) this.tell(text);
    if (!this.looked) {
      this.looked = true;
      this.everybody().forEach((subscriber) => subscriber.onLooked?.());
    }
  }

  private tell(text: string): void {
    // What the first look finds may be announced as well.
    if (this.over || text === this.latest?.text) return;
    let meta: TaskMeta;
    try {
      meta = decodeMeta(text, this.id);
    } catch (error) {
      this.fail(error as Error);
      return;
    }
    this.latest = { text, meta };
    if (isReadyState(meta.status)) {
      this.finish((subscriber) => subscriber.onMeta(meta));
      return;
    }
    this.everybody().forEach((subscriber) => subscriber.onMeta(meta));
  }

  /** A copy: who is told may leave, or join, meanwhile. */
  private everybody(): ResultSubscriber[] {
    return [...this.subscribers];
  }

  private catchUp(subscriber: ResultSubscriber): void {
    if (this.latest !== undefined && this.subscribers.has(subscriber)) {
      subscriber.onMeta(this.latest.meta);
    }
    if (this.looked && this.subscribers.has(subscriber)) subscriber.onLooked?.();
  }

  private leave(subscriber: ResultSubscriber): void {
    if (this.subscribers.delete(subscriber) && this.subscribers.size === 0) this.finish();
  }

  private finish(word?: (subscriber: ResultSubscriber) => void): void {
    if (this.over) return;
    this.over = true;
    const subscribers = this.everybody();
    this.subscribers.clear();
    this.onEmpty();
    if (word !== undefined) subscribers.forEach(word);
  }
}
