import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { ResultBackend } from '../../libs/task-queue/src/results/index.js';
import { encodeMeta } from '../../libs/task-queue/src/results/index.js';

/** How the suite gets at a backend. */
export interface ResultBackendHarness {
  /** Opens one. All of them share one store. */
  open(): Promise<ResultBackend>;
  /** Lets so many milliseconds pass. */
  elapse(ms: number): Promise<void>;
  /** Clears up, after the backends were closed. */
  close(): Promise<void>;
}

/** What every ResultBackend does, whatever it keeps the results in. */
export function describeResultBackendConformance(
  name: string,
  harness: ResultBackendHarness,
): void {
  describe(`${name} result backend`, () => {
    let backend: ResultBackend;
    let other: ResultBackend;

    beforeAll(async () => {
      backend = await harness.open();
      other = await harness.open();
    });

    afterAll(async () => {
      await backend.close();
      await other.close();
      await harness.close();
    });

    async function store(
      id: string,
      status: string,
      result: unknown = null,
      ttl: number | null = 60_000,
      via = backend,
    ): Promise<boolean> {
      return via.store({ id, status, payload: textOf(id, status, result), ttl });
    }

    it('says what it is, without a password', () => {
      expect(backend.description).not.toBe('');
      expect(backend.description).not.toMatch(/:[^/*@]+@/);
      expect(typeof backend.inBroker).toBe('boolean');
    });

    it('gives back what was stored, also to another process', async () => {
      const id = randomUUID();
      expect(await store(id, 'SUCCESS', { text: '\u20ac \u{1f600} " \\ \n', n: 1.5 })).toBe(true);
      const text = textOf(id, 'SUCCESS', { text: '\u20ac \u{1f600} " \\ \n', n: 1.5 });
      expect(await backend.get(id)).toBe(text);
      expect(await other.get(id)).toBe(text);
    });

    it('has nothing of an unknown id', async () => {
      expect(await backend.get(randomUUID())).toBeUndefined();
    });

    it('keeps texts of a megabyte, and unusual ids', async () => {
      for (const id of [
        `${'i'.repeat(163)}-${randomUUID()}`,
        `\u00fc \u{1f600} '"%_*-${randomUUID()}`,
      ]) {
        const result = 'x'.repeat(1_000_000);
        expect(await store(id, 'SUCCESS', result)).toBe(true);
        expect(await backend.get(id)).toBe(textOf(id, 'SUCCESS', result));
      }
    });

    it('replaces a state that is not final', async () => {
      const id = randomUUID();
      for (const status of ['STARTED', 'PROGRESS', 'RETRY', 'STARTED', 'SUCCESS']) {
        expect(await store(id, status)).toBe(true);
        expect(await backend.get(id)).toBe(textOf(id, status));
      }
    });

    it.each(['SUCCESS', 'FAILURE', 'REVOKED'])('lets nothing overwrite %s', async (final) => {
      const id = randomUUID();
      expect(await store(id, final, 'first')).toBe(true);
      for (const status of ['SUCCESS', 'FAILURE', 'REVOKED', 'STARTED', 'PROGRESS']) {
        expect(await store(id, status, 'late', 60_000, other)).toBe(false);
      }
      expect(await backend.get(id)).toBe(textOf(id, final, 'first'));
    });

    it('takes one of many final states that come at once', async () => {
      const id = randomUUID();
      await store(id, 'STARTED');
      const results = Array.from({ length: 20 }, (_, index) => index);
      const stored = await Promise.all(results.map((index) => store(id, 'SUCCESS', index)));
      expect(stored.filter(Boolean)).toHaveLength(1);
      expect(await backend.get(id)).toBe(textOf(id, 'SUCCESS', stored.indexOf(true)));
    });

    it('takes a state whose name resembles a final one for its own', async () => {
      const id = randomUUID();
      expect(await store(id, 'SUCCESS-ish', { status: 'SUCCESS' })).toBe(true);
      expect(await store(id, 'FAILURE')).toBe(true);
    });

    it('gives many, in the order asked for', async () => {
      const ids = Array.from({ length: 50 }, () => randomUUID());
      await Promise.all(ids.filter((_, index) => index % 3 > 0).map((id) => store(id, 'SUCCESS')));
      const asked = [...ids.toReversed(), ids[1]!];
      expect(await backend.getMany(asked)).toEqual(
        asked.map((id) => (ids.indexOf(id) % 3 > 0 ? textOf(id, 'SUCCESS') : undefined)),
      );
      expect(await backend.getMany([])).toEqual([]);
    });

    it('forgets, and takes the id anew', async () => {
      const id = randomUUID();
      await store(id, 'FAILURE');
      await backend.forget(id);
      await backend.forget(id);
      expect(await backend.get(id)).toBeUndefined();
      expect(await store(id, 'SUCCESS')).toBe(true);
    });

    it('drops what has expired', async () => {
      const [brief, long, forEver] = [randomUUID(), randomUUID(), randomUUID()];
      await store(brief, 'SUCCESS', null, 150);
      await store(long, 'SUCCESS', null, 60_000);
      await store(forEver, 'SUCCESS', null, null);
      expect(await backend.get(brief)).toBeDefined();
      await harness.elapse(400);
      expect(await backend.get(brief)).toBeUndefined();
      expect(await backend.getMany([brief, long, forEver])).toEqual([
        undefined,
        textOf(long, 'SUCCESS'),
        textOf(forEver, 'SUCCESS'),
      ]);
      // What has expired is as what never was.
      expect(await store(brief, 'FAILURE')).toBe(true);
    });

    it('saves, restores and deletes groups, apart from the results', async () => {
      const id = randomUUID();
      await store(id, 'SUCCESS');
      expect(await backend.restoreGroup(id)).toBeUndefined();
      await backend.saveGroup(id, '{"result":[1]}', 60_000);
      await backend.saveGroup(id, '{"result":[1,2]}', null);
      expect(await other.restoreGroup(id)).toBe('{"result":[1,2]}');
      expect(await backend.get(id)).toBe(textOf(id, 'SUCCESS'));
      await backend.deleteGroup(id);
      await backend.deleteGroup(id);
      expect(await backend.restoreGroup(id)).toBeUndefined();
      expect(await backend.get(id)).toBe(textOf(id, 'SUCCESS'));
    });
  });
}

function textOf(id: string, status: string, result: unknown = null): string {
  return encodeMeta({
    status,
    result,
    traceback: null,
    children: [],
    date_done: null,
    task_id: id,
  });
}
