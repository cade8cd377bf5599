import { describe, expect, it } from '@jest/globals';

import type { Outcome } from '../../../libs/task-queue/src/brokers/broker.port.js';
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

export function describeFinishing(bench: BrokerBench): void {
  describe('finish', () => {
    it('acknowledges the task', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker);
      const { lease } = await take(broker);
      expect(await broker.finish(lease, {}, false)).toEqual({});
      expect(await broker.locate(id)).toBeUndefined();
      expect(await broker.counts('work')).toEqual({ waiting: 0, delayed: 0, active: 0, dead: 0 });
      await expectNothing(broker);
    });

    it('stores the record', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker);
      const record = makeRecord(id, 'SUCCESS', { result: { sum: 5 } });
      await broker.finish((await take(broker)).lease, { record }, false);
      expect(await (await bench.open()).results.get(id)).toBe(record.payload);
    });

    it('acknowledges also when a final state stands, which stays', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker);
      const { lease } = await take(broker);
      const revoked = makeRecord(id, 'REVOKED');
      await broker.results.put(revoked);
      const successor = makeTask();
      await broker.finish(lease, { record: makeRecord(id), publish: [successor] }, false);
      expect(await broker.results.get(id)).toBe(revoked.payload);
      expect(await broker.locate(id)).toBeUndefined();
      expect(await drain(broker)).toEqual([successor.id]);
    });

    it('publishes the successors, in order, into their queues, with their times', async () => {
      const broker = await bench.open();
      await bench.publish(broker);
      const { lease } = await take(broker);
      const here = makeTasks(3, { data: makeData(['here']) });
      const there = makeTasks(2, { queue: 'there' });
      const dueAt = bench.harness.now() + 60_000;
      const later = makeTask({ queue: 'there', dueAt });
      await broker.finish(lease, { publish: [...here, later, ...there] }, false);
      const first = await take(broker);
      expect(first).toMatchObject({ name: 'tests.add', redeliveries: 0, postponements: 0 });
      expect(JSON.parse(first.data)).toEqual(JSON.parse(makeData(['here'])));
      expect([first.lease.id, ...(await drain(broker))]).toEqual(idsOf(here));
      expect(await drain(broker, 'there')).toEqual(idsOf(there));
      expect((await broker.fetch('there')).nextDueAt).toBe(dueAt);
    });

    it('publishes 500 successors at once', async () => {
      const broker = await bench.open();
      await bench.publish(broker);
      const members = makeTasks(500, { queue: 'members' });
      await broker.finish((await take(broker)).lease, { publish: members }, false);
      expect((await broker.counts('members')).waiting).toBe(500);
      expect((await take(broker, 'members')).lease.id).toBe(members[0]!.id);
    });

    it('leaves a successor alone that is there already', async () => {
      const broker = await bench.open();
      await bench.publish(broker);
      const { lease } = await take(broker);
      const known = await bench.publish(broker, { data: makeData(['known']) });
      const fresh = makeTask();
      const publish = [{ ...known, data: makeData(['other']) }, fresh];
      await broker.finish(lease, { publish }, false);
      const delivery = await take(broker);
      expect(delivery.lease.id).toBe(known.id);
      expect(JSON.parse(delivery.data)).toEqual(JSON.parse(known.data));
      expect(await drain(broker)).toEqual([fresh.id]);
    });

    it('keeps the message in the dead-letter list when it is told so', async () => {
      const broker = await bench.open();
      const task = await bench.publish(broker, { data: makeData(['odd \u0000 text']) });
      const successor = makeTask({ queue: 'errors' });
      const record = makeRecord(task.id, 'FAILURE');
      const before = bench.harness.now();
      await broker.finish(
        (await take(broker)).lease,
        { deadLetter: "It could not be read: 'a' is missing.", record, publish: [successor] },
        false,
      );
      const [letter, ...others] = await broker.deadLetters('work');
      expect(others).toEqual([]);
      expect(letter).toEqual({
        id: task.id,
        name: task.name,
        queue: 'work',
        data: expect.any(String),
        reason: "It could not be read: 'a' is missing.",
        diedAt: expect.any(Number),
      });
      expect(JSON.parse(letter!.data)).toEqual(JSON.parse(task.data));
      expect(letter!.diedAt).toBeGreaterThanOrEqual(before - 100);
      expect(letter!.diedAt).toBeLessThanOrEqual(bench.harness.now() + 100);
      expect(await broker.results.get(task.id)).toBe(record.payload);
      expect(await drain(broker, 'errors')).toEqual([successor.id]);
      await expectNothing(broker);
    });

    it('fetches the next task in the same step when it is asked to', async () => {
      const broker = await bench.open();
      const [first, second, third] = makeTasks(3);
      await broker.publish([first!, second!, third!]);
      const { lease } = await take(broker);
      const next = await broker.finish(lease, { record: makeRecord(first!.id) }, true);
      expect(next.delivery).toMatchObject({
        lease: { id: second!.id, queue: 'work' },
        name: second!.name,
        redeliveries: 0,
        postponements: 0,
      });
      expect(JSON.parse(next.delivery!.data)).toEqual(JSON.parse(second!.data));
      const last = await broker.finish(next.delivery!.lease, { deadLetter: 'broken' }, true);
      expect(last.delivery?.lease.id).toBe(third!.id);
      expect(await broker.finish(last.delivery!.lease, {}, true)).toEqual({});
    });

    it('fetches a successor as the next task', async () => {
      const broker = await bench.open();
      await bench.publish(broker);
      const successor = makeTask();
      const { lease } = await take(broker);
      const { delivery } = await broker.finish(lease, { publish: [successor] }, true);
      expect(delivery?.lease.id).toBe(successor.id);
    });

    it('says when the next delayed task is due when there is nothing else', async () => {
      const broker = await bench.open();
      const dueAt = bench.harness.now() + 60_000;
      await bench.publish(broker);
      await bench.publish(broker, { dueAt });
      const { lease } = await take(broker);
      expect(await broker.finish(lease, {}, true)).toEqual({ nextDueAt: dueAt });
    });

    it('leaves the next task alone when it is not asked to fetch', async () => {
      const broker = await bench.open();
      await bench.publish(broker);
      await bench.publish(broker);
      const answer = await broker.finish((await take(broker)).lease, {}, false);
      expect(answer.delivery).toBeUndefined();
      expect(await broker.counts('work')).toMatchObject({ waiting: 1, active: 0 });
    });

    it('works on tasks in any order, of several queues, from several processes', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      const tasks = [...makeTasks(2), ...makeTasks(2, { queue: 'other' })];
      await one.publish(tasks);
      const [a, b, c, d] = [
        await take(one),
        await take(two),
        await take(one, 'other'),
        await take(two, 'other'),
      ];
      for (const [broker, { lease }] of [
        [two, d],
        [one, a],
        [one, c],
        [two, b],
      ] as const) {
        await broker.finish(lease, { record: makeRecord(lease.id) }, false);
      }
      const stored = await one.results.getMany(idsOf(tasks));
      expect(stored.every((payload) => payload !== undefined)).toBe(true);
      expect(await two.counts('other')).toMatchObject({ active: 0, waiting: 0 });
    });
  });

  describe('an outcome', () => {
    const parts: [string, Outcome][] = [
      ['nothing', {}],
      ['a record', { record: makeRecord('outcome') }],
      ['an announcement', { announce: '{"status":"SUCCESS"}' }],
      ['a dead letter', { deadLetter: 'broken' }],
      [
        'everything',
        { record: makeRecord('outcome'), publish: makeTasks(2), deadLetter: 'broken' },
      ],
    ];

    it.each(parts)('is recorded once only: %s', async (_, outcome) => {
      const broker = await bench.open();
      await bench.publish(broker, { id: 'outcome' });
      const { lease } = await take(broker);
      await broker.finish(lease, outcome, false);
      const successors = await drain(broker);
      expect(successors).toEqual(idsOf(outcome.publish ?? []));
      await expect(broker.finish(lease, outcome, true)).rejects.toThrow(
        'The lease on task outcome',
      );
      await expectNothing(broker);
      expect((await broker.counts('work')).dead).toBe(outcome.deadLetter ? 1 : 0);
    });
  });
}
