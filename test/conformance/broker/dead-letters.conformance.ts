import { describe, expect, it } from '@jest/globals';

import type { Broker, OutgoingTask } from '../../../libs/task-queue/src/brokers/broker.port.js';
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

export function describeDeadLetters(bench: BrokerBench): void {
  /** Publishes tasks and lets them die, one after the other. */
  async function bury(broker: Broker, tasks: readonly OutgoingTask[]): Promise<void> {
    for (const task of tasks) {
      await broker.publish([task]);
      const { lease } = await take(broker, task.queue);
      await broker.finish(lease, { deadLetter: `No. ${task.id}` }, false);
      await bench.harness.elapse(5);
    }
  }

  /** Ids for which there is no dead letter in `work`, though all but the last are in the store. */
  async function others(broker: Broker): Promise<string[]> {
    const elsewhere = makeTask({ queue: 'elsewhere' });
    await bury(broker, [elsewhere]);
    const held = await bench.publish(broker);
    await take(broker);
    const waiting = await bench.publish(broker);
    const delayed = await bench.publish(broker, { dueAt: bench.harness.now() + 60_000 });
    return [elsewhere.id, held.id, waiting.id, delayed.id, 'never-there'];
  }

  describe('redrive', () => {
    it('puts a dead letter to the end of its queue, as if published now', async () => {
      const [broker, other] = [await bench.open(), await bench.open()];
      const task = makeTask({ name: 'demoapp.tasks.add', data: makeData(['odd \u0000 text']) });
      await bury(broker, [task]);
      const waiting = await bench.publish(broker);
      await bench.harness.elapse(200);
      const before = bench.harness.now();
      expect(await other.redrive('work', task.id)).toBe(true);
      expect(await broker.deadLetters('work')).toEqual([]);
      expect(await broker.counts('work')).toEqual({ waiting: 2, delayed: 0, active: 0, dead: 0 });
      expect(await broker.locate(task.id)).toEqual({ queue: 'work', state: 'waiting' });
      expect((await take(broker)).lease.id).toBe(waiting.id);
      const delivery = await take(broker);
      expect(delivery).toMatchObject({
        lease: { id: task.id, queue: 'work' },
        name: 'demoapp.tasks.add',
        redeliveries: 0,
        postponements: 0,
        revoked: false,
      });
      expect(JSON.parse(delivery.data)).toEqual(JSON.parse(task.data));
      expect(delivery.publishedAt).toBeGreaterThanOrEqual(before - 100);
      await broker.finish(delivery.lease, { record: makeRecord(task.id) }, false);
      expect(await broker.results.get(task.id)).toBe(makeRecord(task.id).payload);
    });

    it('counts redeliveries and postponements anew', async () => {
      const broker = await bench.open({ leaseDurationMs: 1_000 });
      const { id } = await bench.publish(broker);
      await broker.postpone((await take(broker)).lease, 0);
      const next = () => bench.eventually(async () => (await broker.fetch('work')).delivery);
      await next();
      await bench.harness.elapse(1_100);
      expect(await broker.reclaim('work')).toEqual([id]);
      const { lease, ...counts } = await next();
      expect(counts).toMatchObject({ redeliveries: 1, postponements: 1 });
      await broker.finish(lease, { deadLetter: 'broken' }, false);
      expect(await broker.redrive('work', id)).toBe(true);
      expect(await next()).toMatchObject({ redeliveries: 0, postponements: 0 });
      await bench.harness.elapse(1_100);
      expect(await broker.reclaim('work')).toEqual([id]);
      expect(await next()).toMatchObject({ redeliveries: 1, postponements: 0 });
    });

    it('keeps the priority', async () => {
      const broker = await bench.open();
      const [high, low] = [makeTask({ priority: 7 }), makeTask({ priority: 2 })];
      await bury(broker, [high, low]);
      const middle = await bench.publish(broker, { priority: 4 });
      expect(await broker.redrive('work', low.id)).toBe(true);
      expect(await broker.redrive('work', high.id)).toBe(true);
      expect(await drain(broker)).toEqual(idsOf([high, middle, low]));
    });

    it('lets it run although it was delayed, or has expired meanwhile', async () => {
      const broker = await bench.open();
      const expiresAt = bench.harness.now() + 300;
      const [expired, retried] = [makeTask({ expiresAt }), makeTask()];
      await bury(broker, [expired]);
      await broker.publish([retried]);
      const dueAt = bench.harness.now() + 100;
      await broker.retry((await take(broker)).lease, { ...retried, dueAt }, {});
      await bench.harness.elapse(400);
      await broker.finish((await take(broker)).lease, { deadLetter: 'broken' }, false);
      expect(await broker.redrive('work', expired.id)).toBe(true);
      expect(await broker.redrive('work', retried.id)).toBe(true);
      expect(await broker.expire(() => undefined)).toEqual([]);
      expect(await drain(broker)).toEqual(idsOf([expired, retried]));
    });

    it('answers false when there is no such dead letter, and changes nothing', async () => {
      const broker = await bench.open();
      const ids = await others(broker);
      const before = await broker.counts('work');
      for (const id of ids) {
        expect(await broker.redrive('work', id)).toBe(false);
      }
      expect(await broker.redrive('nowhere', ids[0]!)).toBe(false);
      expect(await broker.counts('work')).toEqual(before);
      expect(idsOf(await broker.deadLetters('elsewhere'))).toEqual([ids[0]]);
      expect(await broker.queues()).toEqual(['elsewhere', 'work']);
    });

    it('works once for each death', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      const task = makeTask();
      await bury(one, [task]);
      for (let round = 0; round < 5; round++) {
        const answers = await Promise.all([
          one.redrive('work', task.id),
          two.redrive('work', task.id),
        ]);
        expect(answers.toSorted()).toEqual([false, true]);
        const { lease } = await take(two);
        await expectNothing(one);
        await two.finish(lease, { deadLetter: `round ${round}` }, false);
        const letters = await one.deadLetters('work');
        expect(letters.map(({ reason }) => reason)).toEqual([`round ${round}`]);
      }
    });

    it('leaves the other letters in their order, and puts it first when it dies again', async () => {
      const broker = await bench.open();
      const tasks = makeTasks(4);
      await bury(broker, tasks);
      const [a, b, c, d] = idsOf(tasks);
      expect(await broker.redrive('work', b!)).toBe(true);
      expect(idsOf(await broker.deadLetters('work'))).toEqual([d, c, a]);
      await broker.finish((await take(broker)).lease, { deadLetter: 'again' }, false);
      expect(idsOf(await broker.deadLetters('work'))).toEqual([b, d, c, a]);
    });

    it('makes a task as any other: published once, postponed, retried, revoked', async () => {
      const broker = await bench.open();
      const task = makeTask();
      await bury(broker, [task]);
      await broker.redrive('work', task.id);
      await broker.publish([{ ...task, data: makeData(['other']) }]);
      await broker.publish([task], true);
      const { lease, data } = await take(broker);
      expect(JSON.parse(data)).toEqual(JSON.parse(task.data));
      await broker.retry(lease, { ...task, data: makeData(['again']) }, {});
      const held = await take(broker);
      expect(JSON.parse(held.data)).toEqual(JSON.parse(makeData(['again'])));
      await broker.postpone(held.lease, 60_000);
      expect(await broker.revoke(task.id, undefined, 60_000)).toBe('ended');
      expect(await broker.fetch('work')).toEqual({});
    });

    it('wakes who waits for work', async () => {
      const [worker, other] = [await bench.open(), await bench.open()];
      const task = makeTask();
      await bury(other, [task]);
      const wait = await bench.restingWait(worker, ['work']);
      expect(await other.redrive('work', task.id)).toBe(true);
      expect(await wait.promise).toContainEqual({ queue: 'work' });
      expect(await drain(worker)).toEqual([task.id]);
    });
  });

  describe('discard', () => {
    it('removes a dead letter, and leaves the others', async () => {
      const [broker, other] = [await bench.open(), await bench.open()];
      const tasks = makeTasks(3);
      await bury(broker, tasks);
      expect(await other.discard('work', tasks[1]!.id)).toBe(true);
      expect(idsOf(await broker.deadLetters('work'))).toEqual(idsOf([tasks[2]!, tasks[0]!]));
      expect(await broker.counts('work')).toEqual({ waiting: 0, delayed: 0, active: 0, dead: 2 });
      expect(await broker.locate(tasks[1]!.id)).toBeUndefined();
      expect(await broker.discard('work', tasks[1]!.id)).toBe(false);
      expect(await broker.redrive('work', tasks[1]!.id)).toBe(false);
      await expectNothing(broker);
    });

    it('answers false when there is no such dead letter, and changes nothing', async () => {
      const broker = await bench.open();
      const ids = await others(broker);
      const before = await broker.counts('work');
      for (const id of ids) {
        expect(await broker.discard('work', id)).toBe(false);
      }
      expect(await broker.discard('nowhere', ids[0]!)).toBe(false);
      expect(await broker.counts('work')).toEqual(before);
      expect(idsOf(await broker.deadLetters('elsewhere'))).toEqual([ids[0]]);
    });

    it('leaves the result, and the id free to use', async () => {
      const broker = await bench.open();
      const task = makeTask();
      await broker.publish([task]);
      const outcome = { deadLetter: 'broken', record: makeRecord(task.id, 'FAILURE') };
      await broker.finish((await take(broker)).lease, outcome, false);
      expect(await broker.discard('work', task.id)).toBe(true);
      expect(await broker.results.get(task.id)).toBe(outcome.record.payload);
      await broker.publish([task]);
      expect(await drain(broker)).toEqual([task.id]);
    });

    it.each(['__proto__', 'a/b c=%20*#$1', '\u{1f600} \'"', '007'])(
      'and redrive work with unusual ids: %j',
      async (id) => {
        const broker = await bench.open();
        await bury(broker, [makeTask({ id })]);
        expect(await broker.redrive('work', id)).toBe(true);
        const { lease } = await take(broker);
        expect(lease.id).toBe(id);
        await broker.finish(lease, { deadLetter: 'again' }, false);
        expect(await broker.discard('work', id)).toBe(true);
        expect(await broker.deadLetters('work')).toEqual([]);
      },
    );
  });
}
