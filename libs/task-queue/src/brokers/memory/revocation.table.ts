import { TimedHeap, type HeapNode } from './timed.heap.js';

/** The ids that are marked as revoked, each until its time. */
export class RevocationTable {
  readonly #marks = new Map<string, HeapNode<string>>();
  readonly #ends = new TimedHeap<string>();

  /** Marks an id until `end`; a mark that lasts longer stays. */
  add(id: string, end: number): void {
    const mark = this.#marks.get(id);
    if (mark === undefined || mark.at < end) {
      this.delete(id);
      this.#marks.set(id, this.#ends.add(end, id));
    }
  }

  has(id: string, now: number): boolean {
    for (let old = this.#ends.takeDue(now); old !== undefined; old = this.#ends.takeDue(now)) {
      this.#marks.delete(old);
    }
    return this.#marks.has(id);
  }

  /** Ends a mark. A no-op when there is none. */
  delete(id: string): void {
    const mark = this.#marks.get(id);
    if (mark) {
      this.#ends.remove(mark);
      this.#marks.delete(id);
    }
  }
}
