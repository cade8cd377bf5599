import { describe, expect, it } from '@jest/globals';
import type { Lease } from '../broker.port.js';
import { HEADER_INTS, ID_BYTES, LeaseTable, SLOT_BYTES, TOKEN_BYTES } from './lease-table.js';

function lease(id: string, token = 'token'): Lease {
  return { id, token, queue: 'q' };
}

/** What the lease thread reads of a slot. */
function read(table: LeaseTable, slot: number) {
  const header = new Int32Array(table.shared.slots);
  const bytes = Buffer.from(table.shared.slots);
  const head = (slot * SLOT_BYTES) / 4;
  const start = slot * SLOT_BYTES + HEADER_INTS * 4;
  const tokenStart = start + ID_BYTES;
  return {
    sequence: header[head]!,
    id: bytes.toString('utf8', start, start + header[head + 1]!),
    token: bytes.toString('utf8', tokenStart, tokenStart + header[head + 2]!),
    queue: header[head + 3],
  };
}

describe('LeaseTable', () => {
  it('holds what was written until it is removed', () => {
    const table = new LeaseTable(2);
    const slot = table.add(lease('id-1', 'token-1'), 3)!;
    expect(read(table, slot)).toEqual({ sequence: 2, id: 'id-1', token: 'token-1', queue: 3 });
    table.remove(slot);
    expect(read(table, slot)).toMatchObject({ sequence: 4, id: '' });
  });

  it('gives a slot to each lease, and none when it is full', () => {
    const table = new LeaseTable(3);
    const slots = ['a', 'b', 'c'].map((id) => table.add(lease(id), 0));
    expect(new Set(slots).size).toBe(3);
    expect(table.add(lease('d'), 0)).toBeUndefined();
    table.remove(slots[1]!);
    expect(table.add(lease('d'), 0)).toBe(slots[1]);
    expect(slots.map((slot) => read(table, slot!).id)).toEqual(['a', 'd', 'c']);
  });

  it('leaves an even sequence number, so that a reader never waits', () => {
    const table = new LeaseTable(1);
    for (let round = 1; round <= 50; round += 1) {
      table.remove(table.add(lease(`id-${round}`), 0)!);
      expect(read(table, 0).sequence).toBe(round * 4);
    }
  });

  it('holds ids and tokens of the longest kind, of any script, beside each other', () => {
    const table = new LeaseTable(3);
    const long = '\u00e9'.repeat(ID_BYTES / 2);
    const token = 'x'.repeat(TOKEN_BYTES);
    const slots = [1, 2, 3].map(() => table.add(lease(long, token), 0)!);
    slots.forEach((slot) => expect(read(table, slot)).toMatchObject({ id: long, token }));
  });

  it('knows what does not fit', () => {
    expect(LeaseTable.fits(lease('x'.repeat(ID_BYTES)))).toBe(true);
    expect(LeaseTable.fits(lease('x'.repeat(ID_BYTES + 1)))).toBe(false);
    expect(LeaseTable.fits(lease('\u20ac'.repeat(66)))).toBe(true);
    expect(LeaseTable.fits(lease('\u20ac'.repeat(67)))).toBe(false);
    expect(LeaseTable.fits(lease('x', 'y'.repeat(TOKEN_BYTES)))).toBe(true);
    expect(LeaseTable.fits(lease('x', 'y'.repeat(TOKEN_BYTES + 1)))).toBe(false);
  });
});
