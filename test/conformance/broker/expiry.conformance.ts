import { describe, expect, it } from '@jest/globals';

import {
  drain,
  expectNothing,
  idsOf,
  makeRecord,
  makeTask,
  makeTasks,
  take,
  type BrokerBench,
} from './broker-bench.js';

const revoked = (id: string) => makeRecord(id, 'REVOKED');
const unrecorded = () => undefined;

export function describeExpiry(bench: BrokerBench): void {
  /** Tasks published now are over after `pass`. */
  const soon = () => bench.harness.now() + 300;
  const pass = () => bench.harness.elapse(400);

  describe('expire', () => {
    it('ends waiting and delayed tasks that are over, with their records', async () => {
      const [producer, other] = [await bench.open(), await bench.open()];
      const expiresAt = soon();
      const waiting = await bench.publish(producer, { expiresAt });
      const delayed = await bench.publish(producer, { expiresAt, dueAt: expiresAt + 60_000 });
      const elsewhere = await bench.publish(producer, { expiresAt, queue: 'elsewhere' });
      expect(await other.expire(revoked)).toEqual([]);
      await pass();
      const ids = idsOf([waiting, delayed, elsewhere]);
      const heard: string[] = [];
      producer.onResult((id) => heard.push(id));
      await producer.watch(delayed.id);
      expect((await other.expire(revoked)).toSorted()).toEqual(ids.toSorted());
      expect(await producer.results.getMany(ids)).toEqual(ids.map((id) => revoked(id).payload));
      expect(await bench.eventually(() => heard[0])).toBe(delayed.id);
      for (const queue of ['work', 'elsewhere']) {
        expect(await producer.counts(queue)).toMatchObject({ waiting: 0, delayed: 0 });
        expect(await producer.fetch(queue)).toEqual({});
      }
      expect(await producer.locate(waiting.id)).toBeUndefined();
      expect(await other.expire(revoked)).toEqual([]);
    });

    it('ends tasks that were over when they were published', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker, { expiresAt: bench.harness.now() - 1_000 });
      expect(await broker.expire(revoked)).toEqual([id]);
      expect(await broker.results.get(id)).toBe(revoked(id).payload);
    });

    it('stores no record when there is none', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker, { expiresAt: soon() });
      await pass();
      expect(await broker.expire(unrecorded)).toEqual([id]);
      expect(await broker.results.get(id)).toBeUndefined();
      await expectNothing(broker);
    });

    it('leaves the tasks alone that are not over, or never will be', async () => {
      const broker = await bench.open();
      const lasting = await bench.publish(broker);
      const later = await bench.publish(broker, { expiresAt: bench.harness.now() + 60_000 });
      const over = await bench.publish(broker, { expiresAt: soon() });
      await pass();
      expect(await broker.expire(revoked)).toEqual([over.id]);
      expect(await drain(broker)).toEqual([lasting.id, later.id]);
    });

    it('leaves a task alone that a worker holds', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker, { expiresAt: soon() });
      const { lease } = await take(broker);
      await pass();
      expect(await broker.expire(revoked)).toEqual([]);
      expect(await broker.results.get(id)).toBeUndefined();
      await broker.finish(lease, { record: makeRecord(id) }, false);
      expect(await broker.results.get(id)).toBe(makeRecord(id).payload);
      expect(await broker.expire(revoked)).toEqual([]);
    });

    it('ends it once the worker has put it back, whichever way', async () => {
      const [broker, brief] = [await bench.open(), await bench.open({ leaseDurationMs: 1_000 })];
      const expiresAt = soon();
      const [released, postponed, lost] = makeTasks(3, { expiresAt });
      await broker.publish([released!, postponed!, lost!]);
      const [first, second] = [await take(broker), await take(broker)];
      await take(brief);
      await pass();
      expect(await broker.expire(revoked)).toEqual([]);
      await broker.release(first.lease);
      expect(await broker.expire(revoked)).toEqual([released!.id]);
      await broker.postpone(second.lease, 60_000);
      expect(await broker.expire(revoked)).toEqual([postponed!.id]);
      await bench.harness.elapse(800);
      expect(await broker.reclaim('work')).toEqual([lost!.id]);
      expect(await broker.expire(revoked)).toEqual([lost!.id]);
      expect(await broker.counts('work')).toEqual({ waiting: 0, delayed: 0, active: 0, dead: 0 });
    });

    it('ends successors too', async () => {
      const broker = await bench.open();
      await bench.publish(broker);
      const successor = makeTask({ expiresAt: soon() });
      await broker.finish((await take(broker)).lease, { publish: [successor] }, false);
      await pass();
      expect(await broker.expire(revoked)).toEqual([successor.id]);
    });

    it('ignores tasks that have ended, are purged or are dead', async () => {
      const broker = await bench.open();
      const [finished, dead, purged] = makeTasks(3, { expiresAt: soon() });
      await broker.publish([finished!, dead!, purged!]);
      await broker.finish((await take(broker)).lease, {}, false);
      await broker.finish((await take(broker)).lease, { deadLetter: 'broken' }, false);
      await broker.purge('work');
      await pass();
      expect(await broker.expire(revoked)).toEqual([]);
      const stored = await broker.results.getMany(idsOf([finished!, dead!, purged!]));
      expect(stored).toEqual([undefined, undefined, undefined]);
      expect((await broker.counts('work')).dead).toBe(1);
    });

    it('does not overwrite a final state', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker, { expiresAt: soon() });
      const failed = makeRecord(id, 'FAILURE');
      await broker.results.put(failed);
      await pass();
      expect(await broker.expire(revoked)).toEqual([id]);
      expect(await broker.results.get(id)).toBe(failed.payload);
    });

    it('ends hundreds in one call, and each once when two processes call', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      const tasks = makeTasks(300, { expiresAt: soon() });
      await one.publish(tasks);
      await pass();
      const ended = await Promise.all([one.expire(revoked), two.expire(revoked)]);
      expect(ended.flat().toSorted()).toEqual(idsOf(tasks).toSorted());
      expect(await one.counts('work')).toMatchObject({ waiting: 0 });
    }, 20_000);
  });
}
