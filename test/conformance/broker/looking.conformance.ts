import { describe, expect, it } from '@jest/globals';

import {
  drain,
  expectNothing,
  idsOf,
  makeTask,
  makeTasks,
  take,
  type BrokerBench,
} from './broker-bench.js';

export function describeLooking(bench: BrokerBench): void {
  describe('locate', () => {
    it('says where a task is, in each of its states', async () => {
      const broker = await bench.open();
      const dueAt = bench.harness.now() + 60_000;
      const delayed = await bench.publish(broker, { dueAt, queue: 'other' });
      expect(await broker.locate(delayed.id)).toEqual({ queue: 'other', state: 'delayed' });
      const { id } = await bench.publish(broker);
      expect(await broker.locate(id)).toEqual({ queue: 'work', state: 'waiting' });
      const first = await take(broker);
      expect(await (await bench.open()).locate(id)).toEqual({ queue: 'work', state: 'active' });
      await broker.postpone(first.lease, 60_000);
      expect(await broker.locate(id)).toEqual({ queue: 'work', state: 'delayed' });
      const dead = await bench.publish(broker);
      await broker.finish((await take(broker)).lease, { deadLetter: 'broken' }, false);
      expect(await broker.locate(dead.id)).toEqual({ queue: 'work', state: 'dead' });
    });

    it('knows nothing of a task that has ended, was purged or never was', async () => {
      const broker = await bench.open();
      const [ended, purged] = [await bench.publish(broker), await bench.publish(broker)];
      await broker.finish((await take(broker)).lease, {}, false);
      await broker.purge('work');
      for (const id of [ended.id, purged.id, 'never-there']) {
        expect(await broker.locate(id)).toBeUndefined();
      }
    });
  });

  describe('queues and counts', () => {
    it('name every queue that was ever published into, sorted', async () => {
      const [broker, other] = [await bench.open(), await bench.open()];
      expect(await broker.queues()).toEqual([]);
      await bench.publish(broker, { queue: 'reports' });
      await bench.publish(other, { queue: 'mail', dueAt: bench.harness.now() + 60_000 });
      await broker.fetch('only-asked');
      await drain(broker, 'reports');
      await broker.purge('mail');
      expect(await other.queues()).toEqual(['mail', 'reports']);
    });

    it('name the queues of successors', async () => {
      const broker = await bench.open();
      await bench.publish(broker);
      const publish = [makeTask({ queue: 'after' })];
      await broker.finish((await take(broker)).lease, { publish }, false);
      expect(await broker.queues()).toEqual(['after', 'work']);
    });

    it('count the tasks by their state', async () => {
      const broker = await bench.open();
      await broker.publish([
        ...makeTasks(6),
        ...makeTasks(2, { dueAt: bench.harness.now() + 60_000 }),
        makeTask({ queue: 'other' }),
      ]);
      await take(broker);
      const { lease } = await take(broker);
      await broker.finish(lease, { deadLetter: 'broken' }, false);
      await broker.postpone((await take(broker)).lease, 60_000);
      expect(await broker.counts('work')).toEqual({ waiting: 3, delayed: 3, active: 1, dead: 1 });
      expect(await broker.counts('nowhere')).toEqual({
        waiting: 0,
        delayed: 0,
        active: 0,
        dead: 0,
      });
    });
  });

  describe('the dead-letter list', () => {
    it('is read the newest first, as many as wanted, by queue', async () => {
      const broker = await bench.open();
      const tasks = [...makeTasks(5), makeTask({ queue: 'other' })];
      await broker.publish(tasks);
      for (const { queue } of tasks) {
        const { lease } = await take(broker, queue);
        await broker.finish(lease, { deadLetter: `No. ${lease.id}` }, false);
        await bench.harness.elapse(5);
      }
      const newest = idsOf(tasks.slice(0, 5)).toReversed();
      const letters = await broker.deadLetters('work');
      expect(idsOf(letters)).toEqual(newest);
      expect(letters.map(({ reason }) => reason)).toEqual(newest.map((id) => `No. ${id}`));
      expect(idsOf(await broker.deadLetters('work', 2))).toEqual(newest.slice(0, 2));
      expect(idsOf(await broker.deadLetters('work', 100))).toEqual(newest);
      expect(idsOf(await broker.deadLetters('other'))).toEqual([tasks[5]!.id]);
      expect(await broker.deadLetters('nowhere')).toEqual([]);
    });
  });

  describe('purge', () => {
    it('removes what waits and what is delayed, and nothing else', async () => {
      const broker = await bench.open();
      const dead = await bench.publish(broker);
      await broker.finish((await take(broker)).lease, { deadLetter: 'broken' }, false);
      await bench.publish(broker);
      const held = await take(broker);
      await broker.publish(makeTasks(20));
      await broker.publish(makeTasks(3, { dueAt: bench.harness.now() + 60_000 }));
      const other = await bench.publish(broker, { queue: 'other' });
      expect(await broker.purge('work')).toBe(23);
      expect(await broker.purge('work')).toBe(0);
      expect(await broker.purge('nowhere')).toBe(0);
      expect(await broker.counts('work')).toEqual({ waiting: 0, delayed: 0, active: 1, dead: 1 });
      expect(await broker.fetch('work')).toEqual({});
      await broker.finish(held.lease, {}, false);
      expect(idsOf(await broker.deadLetters('work'))).toEqual([dead.id]);
      expect(await drain(broker, 'other')).toEqual([other.id]);
    });

    it('leaves the queue and the ids free to use', async () => {
      const broker = await bench.open();
      const task = await bench.publish(broker);
      await broker.purge('work');
      await expectNothing(broker);
      await broker.publish([task]);
      expect(await drain(broker)).toEqual([task.id]);
    });
  });

  describe('a broker', () => {
    it('describes itself, answers a ping, and connects before or after other calls', async () => {
      const broker = await bench.open();
      expect(broker.description).toMatch(/^[a-z+]+:\/\//);
      await broker.connect();
      await broker.ping();
      await bench.publish(broker);
      await broker.connect();
      await take(broker);
    });

    it('can be closed twice, and leaves its tasks to the others', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      const { id } = await bench.publish(one);
      await one.close();
      await one.close();
      expect(await drain(two)).toEqual([id]);
    });
  });
}
