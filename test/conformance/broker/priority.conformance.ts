import { describe, expect, it } from '@jest/globals';

import type {
  Fetched,
  Lease,
  OutgoingTask,
} from '../../../libs/task-queue/src/brokers/broker.port.js';
import {
  drain,
  expectNothing,
  idsOf,
  makeData,
  makeRecord,
  makeTask,
  makeTasks,
  take,
  type BrokerBench,
} from './broker-bench.js';

const prioritized = (priority?: number) => makeTask({ priority });

/** The ids in the order of a fetch: the higher first, equals as they are. */
function inOrder(tasks: readonly OutgoingTask[]): string[] {
  return idsOf(tasks.toSorted((a, b) => (b.priority ?? 0) - (a.priority ?? 0)));
}

export function describePriority(bench: BrokerBench): void {
  describe('priority', () => {
    it('goes before the order of a call: the higher first, and equals as published', async () => {
      const broker = await bench.open();
      const tasks = [3, undefined, 9, 0, 3, 1, 9, undefined, 2, 8, 4, 7, 5, 6, 0].map(prioritized);
      await broker.publish(tasks);
      expect(await drain(broker)).toEqual(inOrder(tasks));
    });

    it('goes before the order of several calls, of several processes', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      const tasks = [undefined, 5, 1, 5, 9, 0, 1].map(prioritized);
      for (const [index, task] of tasks.entries()) {
        await (index % 2 ? one : two).publish([task]);
      }
      expect(await drain(one)).toEqual(inOrder(tasks));
    });

    it('of 0 is the same as none', async () => {
      const broker = await bench.open();
      const tasks = [undefined, 0, undefined, 0].map(prioritized);
      await broker.publish(tasks);
      expect(await drain(broker)).toEqual(idsOf(tasks));
    });

    it('keeps the order of hundreds', async () => {
      const broker = await bench.open();
      const tasks = Array.from({ length: 400 }, (_, index) => prioritized((index * 7) % 10));
      await broker.publish(tasks);
      expect(await drain(broker)).toEqual(inOrder(tasks));
    });

    it('lets a task pass all that came before it', async () => {
      const broker = await bench.open();
      const waiting = [4, undefined, 2].map(prioritized);
      await broker.publish(waiting);
      for (const priority of [5, 9]) {
        const { id } = await bench.publish(broker, { priority });
        expect((await take(broker)).lease.id).toBe(id);
      }
      await bench.publish(broker, { priority: 3 });
      expect((await take(broker)).lease.id).toBe(waiting[0]!.id);
    });

    it('concerns one queue only', async () => {
      const broker = await bench.open();
      const here = await bench.publish(broker);
      const there = await bench.publish(broker, { queue: 'there', priority: 9 });
      expect(await drain(broker)).toEqual([here.id]);
      expect(await drain(broker, 'there')).toEqual([there.id]);
    });

    it('rules what is fetched with finish', async () => {
      const broker = await bench.open();
      const tasks = [undefined, 7, 2, 7, 0, 9, 2].map(prioritized);
      await broker.publish(tasks);
      const fetched: string[] = [];
      let next: Fetched = await broker.fetch('work');
      while (next.delivery) {
        fetched.push(next.delivery.lease.id);
        next = await broker.finish(next.delivery.lease, {}, true);
      }
      expect(fetched).toEqual(inOrder(tasks));
    });

    it('lets what was published meanwhile, or follows, be fetched with finish', async () => {
      const broker = await bench.open();
      const [first, plain, low] = [9, undefined, 1].map(prioritized);
      await broker.publish([first!, plain!, low!]);
      const { lease } = await take(broker);
      const high = await bench.publish(broker, { priority: 8 });
      const [after, before] = [prioritized(2), prioritized(8)];
      const next = await broker.finish(lease, { publish: [after, before] }, true);
      expect(next.delivery?.lease.id).toBe(high.id);
      await broker.finish(next.delivery!.lease, { deadLetter: 'broken' }, false);
      expect(await drain(broker)).toEqual(idsOf([before, after, low!, plain!]));
    });

    it('leaves all in its place when nothing is fetched with finish', async () => {
      const broker = await bench.open();
      const tasks = [9, 5, undefined, 5, 3].map(prioritized);
      await broker.publish(tasks);
      await broker.finish((await take(broker)).lease, {}, false);
      expect(await broker.counts('work')).toMatchObject({ waiting: 4, active: 0 });
      expect(await drain(broker)).toEqual(inOrder(tasks).slice(1));
    });

    it('gives each task once when many fetch', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      const tasks = Array.from({ length: 200 }, (_, index) => prioritized(index % 4));
      await one.publish(tasks);
      const fetched = await Promise.all([one, two, one, two].map((broker) => drain(broker)));
      expect(fetched.flat().toSorted()).toEqual(idsOf(tasks).toSorted());
    }, 30_000);

    it('wakes who waits for work', async () => {
      const [producer, worker] = [await bench.open(), await bench.open()];
      for (const priority of [1, 9, undefined, 4]) {
        const wait = await bench.restingWait(worker, ['work']);
        const { id } = await bench.publish(producer, { priority });
        expect(await wait.promise).toContainEqual({ queue: 'work' });
        expect(await drain(worker)).toEqual([id]);
      }
    });
  });

  describe('the priority of a delayed task', () => {
    it('does not let it be fetched before its time', async () => {
      const broker = await bench.open();
      const dueAt = bench.harness.now() + 60_000;
      await bench.publish(broker, { dueAt, priority: 9 });
      const plain = await bench.publish(broker);
      const low = await bench.publish(broker, { priority: 1 });
      expect(await drain(broker)).toEqual([low.id, plain.id]);
      expect(await broker.fetch('work')).toEqual({ nextDueAt: dueAt });
      expect(await broker.counts('work')).toMatchObject({ waiting: 0, delayed: 1 });
    });

    it('counts from its time on', async () => {
      const broker = await bench.open();
      const now = bench.harness.now();
      // Each has its own time, so that those of one priority come due in this order.
      const delayed = [2, undefined, 7, 2, 7, 9].map((priority, index) =>
        makeTask({ priority, dueAt: now + 700 + 20 * index }),
      );
      const waiting = [5, 1].map(prioritized);
      await broker.publish([...delayed, ...waiting]);
      expect((await broker.fetch('work')).delivery?.lease.id).toBe(waiting[0]!.id);
      await bench.harness.elapse(950);
      expect(await drain(broker)).toEqual(inOrder([...delayed, waiting[1]!]));
    });

    it('counts in what is fetched with finish', async () => {
      const broker = await bench.open();
      const tasks = [9, 3, 3].map(prioritized);
      await broker.publish(tasks);
      const { lease } = await take(broker);
      const { id } = await bench.publish(broker, {
        priority: 6,
        dueAt: bench.harness.now() + 300,
      });
      await bench.harness.elapse(400);
      const { delivery } = await broker.finish(lease, {}, true);
      expect(delivery?.lease.id).toBe(id);
    });

    it('past its time counts at once', async () => {
      const broker = await bench.open();
      const low = await bench.publish(broker, { priority: 2 });
      const high = await bench.publish(broker, { priority: 8, dueAt: 0 });
      expect(await drain(broker)).toEqual([high.id, low.id]);
    });
  });

  describe('the priority of a task that is put back', () => {
    it('is kept by release, which makes it the first of its equals', async () => {
      const broker = await bench.open();
      const [first, second, low] = [5, 5, 3].map(prioritized);
      await broker.publish([first!, second!, low!]);
      await broker.release((await take(broker)).lease);
      expect(await drain(broker)).toEqual(idsOf([first!, second!, low!]));
    });

    it('is kept by postpone', async () => {
      const broker = await bench.open();
      const high = await bench.publish(broker, { priority: 5 });
      await broker.postpone((await take(broker)).lease, 200);
      const tasks = [3, undefined].map(prioritized);
      await broker.publish(tasks);
      await bench.harness.elapse(350);
      expect(await drain(broker)).toEqual([high.id, ...idsOf(tasks)]);
    });

    it('is kept when its worker was lost', async () => {
      const [brief, broker] = [await bench.open({ leaseDurationMs: 1_000 }), await bench.open()];
      const [high, low, plain] = [9, 4, undefined].map(prioritized);
      await broker.publish([high!, low!, plain!]);
      await Promise.all([take(brief), take(brief), take(brief)]);
      const between = [6, 1].map(prioritized);
      await broker.publish(between);
      await bench.harness.elapse(1_100);
      expect((await broker.reclaim('work')).toSorted()).toEqual(
        idsOf([high!, low!, plain!]).toSorted(),
      );
      expect(await drain(broker)).toEqual(idsOf([high!, between[0]!, low!, between[1]!, plain!]));
    });

    it('is the new one after a retry', async () => {
      const broker = await bench.open();
      const [raised, lowered, freed] = [2, 9, 9].map(prioritized);
      await broker.publish([raised!, lowered!, freed!]);
      const leases = new Map<string, Lease>();
      for (let i = 0; i < 3; i++) {
        const { lease } = await take(broker);
        leases.set(lease.id, lease);
      }
      const others = [9, 5, 1].map(prioritized);
      await broker.publish(others);
      for (const [task, priority] of [
        [freed!, undefined],
        [lowered!, 1],
        [raised!, 9],
      ] as const) {
        await broker.retry(leases.get(task.id)!, { ...task, priority }, {});
      }
      const expected = [others[0]!, raised!, others[1]!, others[2]!, lowered!, freed!];
      expect(await drain(broker)).toEqual(idsOf(expected));
    });

    it('is the new one after a retry with a delay', async () => {
      const broker = await bench.open();
      const task = await bench.publish(broker);
      const { lease } = await take(broker);
      await broker.retry(lease, { ...task, priority: 7, dueAt: bench.harness.now() + 200 }, {});
      const other = await bench.publish(broker, { priority: 6 });
      await bench.harness.elapse(350);
      expect(await drain(broker)).toEqual([task.id, other.id]);
    });
  });

  describe('a task with a priority', () => {
    it('is counted, found, purged and ended as any other', async () => {
      const broker = await bench.open();
      const expiresAt = bench.harness.now() + 300;
      const over = await bench.publish(broker, { priority: 9, expiresAt });
      const { id } = await bench.publish(broker, { priority: 3 });
      await broker.publish(makeTasks(3, { priority: 3 }));
      expect(await broker.counts('work')).toEqual({ waiting: 5, delayed: 0, active: 0, dead: 0 });
      expect(await broker.locate(id)).toEqual({ queue: 'work', state: 'waiting' });
      await bench.harness.elapse(400);
      expect(await broker.expire((ended) => makeRecord(ended, 'REVOKED'))).toEqual([over.id]);
      expect(await broker.revoke(id, undefined, 60_000)).toBe('ended');
      expect(await broker.purge('work')).toBe(3);
      expect(await broker.counts('work')).toMatchObject({ waiting: 0 });
      await expectNothing(broker);
    });

    it('is published once, whatever the priority of the second call', async () => {
      const broker = await bench.open();
      const task = await bench.publish(broker, { priority: 1, data: makeData(['first']) });
      const other = await bench.publish(broker, { priority: 5 });
      await broker.publish([{ ...task, priority: 9, data: makeData(['second']) }]);
      await broker.publish([{ ...task, priority: undefined }], true);
      expect((await take(broker)).lease.id).toBe(other.id);
      const delivery = await take(broker);
      expect(delivery.lease.id).toBe(task.id);
      expect(JSON.parse(delivery.data)).toEqual(JSON.parse(task.data));
      await expectNothing(broker);
    });
  });
}
