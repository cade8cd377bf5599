/**
 * The deadlines of running tasks in memory that is shared with the guard's thread, which sees
 * them although the main thread never returns to its event loop.
 *
 * One slot per run, `GUARD_SLOT_BYTES` long: a sequence number (odd while the slot is being
 * written, as in a seqlock), the length of the note (0: the slot is empty), the deadline as
 * milliseconds since the epoch, then the bytes of the note. `blocked-loop-thread.mjs` reads the
 * same layout.
 */
export const GUARD_SLOT_BYTES = 1024;
export const GUARD_HEADER_BYTES = 16;
const NOTE_BYTES = GUARD_SLOT_BYTES - GUARD_HEADER_BYTES;

export class BlockedLoopTable {
  readonly slots: SharedArrayBuffer;
  private readonly header: Int32Array;
  private readonly deadlines: Float64Array;
  private readonly bytes: Buffer;
  private readonly free: number[];

  constructor(capacity: number) {
    this.slots = new SharedArrayBuffer(capacity * GUARD_SLOT_BYTES);
    this.header = new Int32Array(this.slots);
    this.deadlines = new Float64Array(this.slots);
    this.bytes = Buffer.from(this.slots);
    this.free = Array.from({ length: capacity }, (_, index) => capacity - 1 - index);
  }

  /** Writes a deadline into a free slot; `undefined` when the table is full or the note too long. */
  add(note: string, deadline: number): number | undefined {
    const length = Buffer.byteLength(note);
    const slot = length > NOTE_BYTES ? undefined : this.free.pop();
    if (slot === undefined) {
      return undefined;
    }
    const head = (slot * GUARD_SLOT_BYTES) / 4;
    Atomics.add(this.header, head, 1);
    this.header[head + 1] = length;
    this.deadlines[(slot * GUARD_SLOT_BYTES) / 8 + 1] = deadline;
    this.bytes.write(note, slot * GUARD_SLOT_BYTES + GUARD_HEADER_BYTES);
    Atomics.add(this.header, head, 1);
    return slot;
  }

  remove(slot: number): void {
    const head = (slot * GUARD_SLOT_BYTES) / 4;
    Atomics.add(this.header, head, 1);
    this.header[head + 1] = 0;
    Atomics.add(this.header, head, 1);
    this.free.push(slot);
  }
}
