/** A place in a heap; needed to take the item out again. */
export interface HeapNode<T> {
  readonly at: number;
  readonly item: T;
  /** Breaks ties, so that items of one time keep their order. */
  readonly order: number;
  /** The position in the heap's array; -1 once taken out. */
  index: number;
}

/** Items ordered by a time; adding and taking out any of them costs O(log n). */
export class TimedHeap<T> {
  readonly #nodes: HeapNode<T>[] = [];
  #order = 0;

  get size(): number {
    return this.#nodes.length;
  }

  /** The earliest item's node. */
  get first(): HeapNode<T> | undefined {
    return this.#nodes[0];
  }

  add(at: number, item: T): HeapNode<T> {
    const node = { at, item, order: this.#order++, index: this.#nodes.length };
    this.#nodes.push(node);
    this.#rise(node);
    return node;
  }

  /** Takes an item out. A no-op when it is out already. */
  remove(node: HeapNode<T>): void {
    const { index } = node;
    if (index < 0) {
      return;
    }
    const last = this.#nodes.pop()!;
    node.index = -1;
    if (last !== node) {
      this.#put(last, index);
      this.#rise(last);
      this.#sink(last);
    }
  }

  /** Takes out the earliest item when its time is `now` or before. */
  takeDue(now: number): T | undefined {
    const { first } = this;
    if (first === undefined || first.at > now) {
      return undefined;
    }
    this.remove(first);
    return first.item;
  }

  #rise(node: HeapNode<T>): void {
    while (node.index > 0) {
      const parent = this.#nodes[(node.index - 1) >>> 1]!;
      if (!isBefore(node, parent)) {
        return;
      }
      this.#swap(node, parent);
    }
  }

  #sink(node: HeapNode<T>): void {
    for (;;) {
      const left = this.#nodes[2 * node.index + 1];
      const right = this.#nodes[2 * node.index + 2];
      const child = left && right && isBefore(right, left) ? right : left;
      if (child === undefined || !isBefore(child, node)) {
        return;
      }
      this.#swap(child, node);
    }
  }

  #swap(a: HeapNode<T>, b: HeapNode<T>): void {
    const { index } = a;
    this.#put(a, b.index);
    this.#put(b, index);
  }

  #put(node: HeapNode<T>, index: number): void {
    this.#nodes[index] = node;
    node.index = index;
  }
}

function isBefore<T>(a: HeapNode<T>, b: HeapNode<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
