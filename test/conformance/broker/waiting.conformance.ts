import { describe, expect, it } from '@jest/globals';

import type { Broker, WorkSign } from '../../../libs/task-queue/src/brokers/broker.port.js';
import {
  LONG,
  drain,
  expectNothing,
  makeRecord,
  makeTask,
  makeTasks,
  observe,
  take,
  type BrokerBench,
} from './broker-bench.js';

export function describeWaiting(bench: BrokerBench): void {
  const queuesOf = (signs: WorkSign[]) => signs.map((sign) => sign.queue);

  describe('waitForWork', () => {
    it('answers at once when there is work already', async () => {
      const [producer, worker] = [await bench.open(), await bench.open()];
      await bench.publish(producer);
      expect(queuesOf(await worker.waitForWork(['work'], LONG))).toEqual(['work']);
    });

    it('answers as long as there is more work', async () => {
      const worker = await bench.open();
      await worker.publish(makeTasks(3));
      for (let i = 0; i < 3; i++) {
        expect(queuesOf(await worker.waitForWork(['work'], LONG))).toEqual(['work']);
        const { lease } = await take(worker);
        await worker.finish(lease, {}, false);
      }
    });

    it('answers when something is published, by any process', async () => {
      const [producer, worker] = [await bench.open(), await bench.open()];
      for (const publisher of [producer, worker, producer]) {
        const wait = await bench.restingWait(worker, ['work']);
        const { id } = await bench.publish(publisher);
        expect(queuesOf(await wait.promise)).toEqual(['work']);
        expect(await drain(worker)).toEqual([id]);
      }
    });

    it('does not miss what comes between an empty fetch and the wait', async () => {
      const [producer, worker] = [await bench.open(), await bench.open()];
      for (let i = 0; i < 5; i++) {
        await expectNothing(worker);
        await bench.publish(producer);
        expect(queuesOf(await worker.waitForWork(['work'], LONG))).toEqual(['work']);
        await drain(worker);
      }
    });

    it('watches all its queues, and no others', async () => {
      const [producer, worker] = [await bench.open(), await bench.open()];
      const queues = ['first', 'second', 'third'];
      for (const queue of ['third', 'first', 'second']) {
        const wait = await bench.restingWait(worker, queues);
        await bench.publish(producer, { queue: 'elsewhere' });
        await bench.harness.elapse(100);
        expect(wait.settled).toBe(false);
        await bench.publish(producer, { queue });
        expect(queuesOf(await wait.promise)).toContain(queue);
        await drain(worker, queue);
      }
    });

    it('answers with nothing when the time is over', async () => {
      const worker = await bench.open();
      const wait = observe(worker.waitForWork(['quiet', 'silent'], 500));
      await bench.harness.elapse(200);
      expect(wait.settled).toBe(false);
      await bench.harness.elapse(400);
      expect(await wait.promise).toEqual([]);
    });

    it('wakes for a delayed task published before it', async () => {
      const worker = await bench.open();
      const dueAt = bench.harness.now() + 600;
      const { id } = await bench.publish(worker, { dueAt });
      await expectNothing(worker);
      expect(await nextWork(bench, worker, dueAt)).toBe(id);
    });

    it('wakes for a delayed task published meanwhile, and for an earlier one after it', async () => {
      const [producer, worker] = [await bench.open(), await bench.open()];
      await bench.publish(producer, { dueAt: bench.harness.now() + LONG });
      await expectNothing(worker);
      const wait = observe(worker.waitForWork(['work'], LONG));
      await bench.harness.elapse(50);
      const dueAt = bench.harness.now() + 600;
      const { id } = await bench.publish(producer, { dueAt });
      await bench.harness.elapse(20);
      worker.wakeUp();
      expect(['', 'work']).toContain(queuesOf(await wait.promise).join());
      expect(await nextWork(bench, worker, dueAt)).toBe(id);
    });

    it('wakes for tasks that are released, postponed, reclaimed or follow another', async () => {
      const [worker, other] = [await bench.open({ leaseDurationMs: 1_000 }), await bench.open()];
      const { id } = await bench.publish(worker);
      const waits = async (act: () => Promise<unknown>): Promise<void> => {
        const wait = await bench.restingWait(worker, ['work']);
        await act();
        expect(queuesOf(await wait.promise)).toEqual(['work']);
      };
      let held = await take(other);
      await waits(() => other.release(held.lease));
      held = await take(other);
      await waits(async () => {
        await other.postpone(held.lease, 100);
        await bench.harness.elapse(150);
      });
      held = await bench.eventually(async () => (await worker.fetch('work')).delivery);
      await waits(async () => {
        await bench.harness.elapse(1_100);
        await other.reclaim('work');
      });
      held = await take(other);
      expect(held).toMatchObject({ lease: { id }, redeliveries: 1, postponements: 1 });
      const record = makeRecord(id);
      await waits(() => other.finish(held.lease, { record, publish: [makeTask()] }, false));
    });

    it('ends at once with wakeUp, which is harmless without a wait', async () => {
      const worker = await bench.open();
      worker.wakeUp();
      for (let i = 0; i < 3; i++) {
        const wait = observe(worker.waitForWork(['work'], LONG));
        await bench.harness.elapse(50);
        worker.wakeUp();
        worker.wakeUp();
        expect(await wait.promise).toEqual([]);
      }
    });

    it('ends when the broker is closed', async () => {
      const worker = await bench.open();
      const wait = observe(worker.waitForWork(['work'], LONG));
      await bench.harness.elapse(50);
      await worker.close();
      await bench.eventually(() => wait.settled || undefined);
      expect(wait.settled).toBe(true);
    });
  });
}

/** Waits as a worker does: by `waitForWork` and by the times it is told. Returns the task's id. */
async function nextWork(bench: BrokerBench, worker: Broker, dueAt: number): Promise<string> {
  const wait = observe(worker.waitForWork(['work'], LONG));
  await bench.harness.elapse(50);
  if (!wait.settled) {
    // No sign of the time to come, so the wait itself has to end at that time.
    await bench.harness.elapse(dueAt - bench.harness.now() + 100);
  }
  await bench.eventually(() => wait.settled || undefined);
  const signs = await wait.promise;
  expect(signs.map((sign) => sign.queue)).toEqual(['work']);
  const at = Math.max(0, (signs[0]!.dueAt ?? 0) - bench.harness.now());
  expect(bench.harness.now() + at).toBeLessThan(dueAt + 1_500);
  await bench.harness.elapse(at + 20);
  return (await take(worker)).lease.id;
}
