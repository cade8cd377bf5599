import type { Lease } from '../broker.port.js';

/**
 * The leases of this process in memory that is shared with the lease thread: the thread sees a
 * new lease although the main thread never returns to its event loop after taking it.
 *
 * One slot per lease, `SLOT_BYTES` long: a sequence number (odd while the slot is being
 * written, as in a seqlock), the lengths of id and token, the index of the queue, then the bytes
 * of id and token. An empty slot has an id length of 0. `lease-thread.mjs` reads the same layout.
 */
export const SLOT_BYTES = 320;
export const HEADER_INTS = 4;
export const ID_BYTES = 200;
export const TOKEN_BYTES = SLOT_BYTES - HEADER_INTS * 4 - ID_BYTES;

/** What the thread is given of a table. */
export interface SharedLeaseTable {
  readonly slots: SharedArrayBuffer;
}

export class LeaseTable {
  readonly shared: SharedLeaseTable;
  private readonly header: Int32Array;
  private readonly bytes: Buffer;
  private readonly free: number[] = [];

  constructor(readonly capacity: number) {
    const slots = new SharedArrayBuffer(capacity * SLOT_BYTES);
    this.shared = { slots };
    this.header = new Int32Array(slots);
    this.bytes = Buffer.from(slots);
    for (let slot = capacity - 1; slot >= 0; slot -= 1) {
      this.free.push(slot);
    }
  }

  /** Whether a slot is large enough for a lease. */
  static fits({ id, token }: Lease): boolean {
    return byteLength(id) <= ID_BYTES && byteLength(token) <= TOKEN_BYTES;
  }

  /** Writes a lease into a free slot; `undefined` when the table is full. */
  add(lease: Lease, queueIndex: number): number | undefined {
    const slot = this.free.pop();
    if (slot === undefined) {
      return undefined;
    }
    const head = (slot * SLOT_BYTES) / 4;
    const start = slot * SLOT_BYTES + HEADER_INTS * 4;
    Atomics.add(this.header, head, 1);
    this.header[head + 1] = this.bytes.write(lease.id, start, ID_BYTES, 'utf8');
    this.header[head + 2] = this.bytes.write(lease.token, start + ID_BYTES, TOKEN_BYTES, 'utf8');
    this.header[head + 3] = queueIndex;
    Atomics.add(this.header, head, 1);
    return slot;
  }

  remove(slot: number): void {
    const head = (slot * SLOT_BYTES) / 4;
    Atomics.add(this.header, head, 1);
    this.header[head + 1] = 0;
    Atomics.add(this.header, head, 1);
    this.free.push(slot);
  }
}

function byteLength(text: string): number {
  // A character is one byte to three: most need not be counted.
  return text.length * 3 <= TOKEN_BYTES ? text.length : Buffer.byteLength(text);
}
