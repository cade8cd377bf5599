import { describe, expect, it } from '@jest/globals';

import type { Broker, OutgoingTask } from '../../../libs/task-queue/src/brokers/broker.port.js';
import { drain, makeTask, makeTasks, take, type BrokerBench } from './broker-bench.js';

/** How long marks are kept, longer than any test takes. */
const KEEP = 60_000;

export function describeRevokeMarks(bench: BrokerBench): void {
  describe('the mark of a revoked task', () => {
    /** Publishes the task anew and asserts that it is not marked. */
    async function expectUnmarked(broker: Broker, task: OutgoingTask): Promise<void> {
      await broker.publish([task]);
      expect(await take(broker)).toMatchObject({ lease: { id: task.id }, revoked: false });
    }

    it('ends when the task finishes', async () => {
      const broker = await bench.open();
      const task = await bench.publish(broker);
      const { lease } = await take(broker);
      await broker.revoke(task.id, undefined, KEEP);
      await broker.finish(lease, {}, true);
      await expectUnmarked(broker, task);
    });

    it('ends when the task dies', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker);
      const { lease } = await take(broker);
      await broker.revoke(id, undefined, KEEP);
      await broker.finish(lease, { deadLetter: 'broken', publish: [makeTask()] }, false);
      expect(await drain(broker)).toHaveLength(1);
      expect(await broker.redrive('work', id)).toBe(true);
      expect(await take(broker)).toMatchObject({ lease: { id }, revoked: false });
    });

    it('ends when the task is revoked before another worker has it', async () => {
      const broker = await bench.open();
      const task = await bench.publish(broker);
      const { lease } = await take(broker);
      await broker.revoke(task.id, undefined, KEEP);
      await broker.release(lease);
      expect(await broker.revoke(task.id, undefined, KEEP)).toBe('ended');
      await expectUnmarked(broker, task);
    });

    it('ends when the task expires', async () => {
      const broker = await bench.open();
      const task = makeTask();
      await broker.revoke(task.id, undefined, KEEP);
      await broker.publish([{ ...task, expiresAt: bench.harness.now() - 1 }]);
      expect(await broker.expire(() => undefined)).toEqual([task.id]);
      await expectUnmarked(broker, task);
    });

    it('stays while the task is handed from worker to worker', async () => {
      const broker = await bench.open();
      const task = await bench.publish(broker);
      let delivery = await take(broker);
      await broker.revoke(task.id, undefined, KEEP);
      for (let i = 0; i < 3; i++) {
        await broker.release(delivery.lease);
        delivery = await take(broker);
        expect(delivery.revoked).toBe(true);
      }
    });

    it('ends after its time', async () => {
      const broker = await bench.open();
      const [held, unknown, kept] = makeTasks(3);
      await broker.publish([held!]);
      const { lease } = await take(broker);
      await broker.revoke(held!.id, undefined, 300);
      await broker.revoke(unknown!.id, undefined, 300);
      await broker.revoke(kept!.id, undefined, KEEP);
      await bench.harness.elapse(400);
      await broker.release(lease);
      expect(await take(broker)).toMatchObject({ lease: { id: held!.id }, revoked: false });
      await expectUnmarked(broker, unknown!);
      await broker.publish([kept!]);
      expect(await take(broker)).toMatchObject({ lease: { id: kept!.id }, revoked: true });
    });
  });
}
