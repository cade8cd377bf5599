import type { ResultRecord } from '../broker.port.js';
import { TimedHeap, type HeapNode } from './timed.heap.js';

/** Payloads above this size, in UTF-16 units, are announced without their text. */
export const LARGE_PAYLOAD = 7 * 1024;

const FINAL_STATES: ReadonlySet<string> = new Set(['SUCCESS', 'FAILURE', 'REVOKED']);

/** Tells one process of stored results; `payload` is absent when it is large. */
export type ResultChannel = (id: string, payload: string | undefined) => void;

/** A text that may end by itself. */
interface StoredText {
  readonly status: string;
  readonly payload: string;
  readonly end: HeapNode<string> | undefined;
}

/** Texts under ids, each with a time to live. */
class TextTable {
  readonly #texts = new Map<string, StoredText>();
  readonly #ends = new TimedHeap<string>();

  set(id: string, status: string, payload: string, ttl: number | null, now: number): void {
    this.delete(id);
    const end = ttl === null ? undefined : this.#ends.add(now + ttl, id);
    this.#texts.set(id, { status, payload, end });
  }

  get(id: string, now: number): StoredText | undefined {
    for (let old = this.#ends.takeDue(now); old !== undefined; old = this.#ends.takeDue(now)) {
      this.#texts.delete(old);
    }
    return this.#texts.get(id);
  }

  delete(id: string): void {
    const text = this.#texts.get(id);
    if (text?.end) {
      this.#ends.remove(text.end);
    }
    this.#texts.delete(id);
  }
}

/** Results, group results, and who waits for them. */
export class MemoryResultTable {
  readonly #results = new TextTable();
  readonly #groups = new TextTable();
  readonly #watchers = new Map<string, Set<ResultChannel>>();

  /** @returns `false` when a final state was there already. */
  put(record: ResultRecord, now: number): boolean {
    const { id, status, payload, ttl } = record;
    const stored = this.#results.get(id, now);
    if (stored && FINAL_STATES.has(stored.status)) {
      return false;
    }
    this.#results.set(id, status, payload, ttl, now);
    this.announce(id, payload);
    return true;
  }

  get(id: string, now: number): string | undefined {
    return this.#results.get(id, now)?.payload;
  }

  remove(id: string): void {
    this.#results.delete(id);
  }

  putGroup(id: string, payload: string, ttl: number | null, now: number): void {
    this.#groups.set(id, '', payload, ttl, now);
  }

  getGroup(id: string, now: number): string | undefined {
    return this.#groups.get(id, now)?.payload;
  }

  removeGroup(id: string): void {
    this.#groups.delete(id);
  }

  announce(id: string, payload: string): void {
    const text = payload.length > LARGE_PAYLOAD ? undefined : payload;
    for (const channel of this.#watchers.get(id) ?? []) {
      channel(id, text);
    }
  }

  watch(id: string, channel: ResultChannel): void {
    const channels = this.#watchers.get(id);
    if (channels) {
      channels.add(channel);
    } else {
      this.#watchers.set(id, new Set([channel]));
    }
  }

  unwatch(id: string, channel: ResultChannel): void {
    const channels = this.#watchers.get(id);
    if (channels?.delete(channel) && channels.size === 0) {
      this.#watchers.delete(id);
    }
  }
}
