import { describe, expect, it } from '@jest/globals';

import type { Broker, OutgoingTask } from '../../../libs/task-queue/src/brokers/broker.port.js';
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

/** How long marks are kept, longer than any test takes. */
const KEEP = 60_000;

const revoked = (id: string) => makeRecord(id, 'REVOKED');

type Put = (broker: Broker, task: OutgoingTask) => Promise<unknown>;

export function describeRevoking(bench: BrokerBench): void {
  const revoke = (broker: Broker, id: string, keepFor = KEEP) =>
    broker.revoke(id, revoked(id), keepFor);
  const later = () => bench.harness.now() + 60_000;

  /** Asserts that a task is gone from the store. */
  async function expectGone(broker: Broker, id: string): Promise<void> {
    expect(await broker.locate(id)).toBeUndefined();
    expect(await broker.counts('work')).toEqual({ waiting: 0, delayed: 0, active: 0, dead: 0 });
    expect(await broker.fetch('work')).toEqual({});
  }

  describe('revoke of a task that no worker holds', () => {
    const ways: [string, Put][] = [
      ['waits', (broker, task) => broker.publish([task])],
      ['waits with a priority', (broker, task) => broker.publish([{ ...task, priority: 4 }])],
      ['is delayed', (broker, task) => broker.publish([{ ...task, dueAt: later() }])],
      [
        'is delayed and has a priority',
        (broker, task) => broker.publish([{ ...task, dueAt: later(), priority: 9 }]),
      ],
      [
        'will expire',
        (broker, task) => broker.publish([{ ...task, expiresAt: bench.harness.now() - 1 }]),
      ],
      [
        'waits for its retry',
        async (broker, task) => {
          await broker.publish([task]);
          const record = makeRecord(task.id, 'RETRY');
          await broker.retry((await take(broker)).lease, { ...task, dueAt: later() }, { record });
        },
      ],
      [
        'is to be retried at once',
        async (broker, task) => {
          await broker.publish([task]);
          await broker.retry((await take(broker)).lease, task, {});
        },
      ],
      [
        'was released',
        async (broker, task) => {
          await broker.publish([task]);
          await broker.release((await take(broker)).lease);
        },
      ],
      [
        'was postponed',
        async (broker, task) => {
          await broker.publish([task]);
          await broker.postpone((await take(broker)).lease, 60_000);
        },
      ],
    ];

    it.each(ways)('removes it and stores the record: it %s', async (_, put) => {
      const [broker, other] = [await bench.open(), await bench.open()];
      const task = makeTask();
      await put(broker, task);
      const ears = await bench.listenFor(broker, task.id);
      expect(await revoke(other, task.id)).toBe('ended');
      expect(await broker.results.get(task.id)).toBe(revoked(task.id).payload);
      expect(await ears.all(other)).toEqual([revoked(task.id).payload]);
      await expectGone(broker, task.id);
      expect(await broker.expire(revoked)).toEqual([]);
    });

    it('removes it without a record when there is none', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker);
      const ears = await bench.listenFor(broker, id);
      expect(await broker.revoke(id, undefined, KEEP)).toBe('ended');
      expect(await ears.all(broker)).toEqual([]);
      expect(await broker.results.get(id)).toBeUndefined();
      await expectGone(broker, id);
    });

    it('removes it also when a final state stands, which stays', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker);
      const failed = makeRecord(id, 'FAILURE');
      await broker.results.put(failed);
      const ears = await bench.listenFor(broker, id);
      expect(await revoke(broker, id)).toBe('ended');
      expect(await ears.all(broker)).toEqual([]);
      expect(await broker.results.get(id)).toBe(failed.payload);
      await expectGone(broker, id);
    });

    it('stores a state that nothing overwrites', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker);
      expect(await revoke(broker, id)).toBe('ended');
      expect(await broker.results.put(makeRecord(id))).toBe(false);
      expect(await broker.results.get(id)).toBe(revoked(id).payload);
    });

    it('leaves the others alone, in their order', async () => {
      const broker = await bench.open();
      const tasks = makeTasks(5);
      await broker.publish(tasks);
      expect(await revoke(broker, tasks[2]!.id)).toBe('ended');
      expect(await revoke(broker, tasks[0]!.id)).toBe('ended');
      expect(await drain(broker)).toEqual(idsOf([tasks[1]!, tasks[3]!, tasks[4]!]));
    });

    it('finds it in any queue, and not that of another group', async () => {
      const [broker, theirs] = [await bench.open(), await bench.open({ group: 'theirs' })];
      const here = await bench.publish(broker, { queue: 'third' });
      await theirs.publish([here]);
      await bench.publish(broker, { queue: 'first' });
      expect(await revoke(broker, here.id)).toBe('ended');
      await expectNothing(broker, 'third');
      expect((await broker.counts('first')).waiting).toBe(1);
      expect(await take(theirs, 'third')).toMatchObject({ lease: { id: here.id }, revoked: false });
      expect(await theirs.results.get(here.id)).toBeUndefined();
    });

    it('is not undone by the rest of a broken call', async () => {
      const broker = await bench.open();
      const task = await bench.publish(broker);
      expect(await revoke(broker, task.id)).toBe('ended');
      await broker.publish([task], true);
      await expectGone(broker, task.id);
    });

    it('ends each once when two processes revoke', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      const tasks = makeTasks(20);
      await one.publish(tasks);
      for (const { id } of tasks) {
        const answers = await Promise.all([revoke(one, id), revoke(two, id)]);
        expect(answers.toSorted()).toEqual(['ended', 'unknown']);
      }
      expect((await one.counts('work')).waiting).toBe(0);
    });

    it('either ends it or finds it fetched when a worker fetches meanwhile', async () => {
      const [worker, other] = [await bench.open(), await bench.open()];
      for (let round = 0; round < 20; round++) {
        const { id } = await bench.publish(other);
        // Now the one begins, now the other.
        const early = round % 2 ? worker.fetch('work') : undefined;
        const revoking = revoke(other, id);
        const { delivery } = await (early ?? worker.fetch('work'));
        expect(await revoking).toBe(delivery ? 'active' : 'ended');
        expect(await other.results.get(id)).toBe(delivery ? undefined : revoked(id).payload);
        if (delivery) {
          await worker.release(delivery.lease);
        }
        const { delivery: again } = await worker.fetch('work');
        expect(again?.revoked).toBe(delivery && true);
        if (again) {
          await worker.finish(again.lease, {}, false);
        }
      }
    });
  });

  describe('revoke of a task that a worker holds', () => {
    it('lets it go on, and its outcome stands', async () => {
      const [worker, other] = [await bench.open(), await bench.open()];
      const { id } = await bench.publish(worker);
      const delivery = await take(worker);
      expect(delivery.revoked).toBe(false);
      const ears = await bench.listenFor(other, id);
      expect(await revoke(other, id)).toBe('active');
      expect(await revoke(worker, id)).toBe('active');
      expect(await other.results.get(id)).toBeUndefined();
      expect(await other.locate(id)).toEqual({ queue: 'work', state: 'active' });
      await worker.finish(delivery.lease, { record: makeRecord(id) }, false);
      expect(await other.results.get(id)).toBe(makeRecord(id).payload);
      expect(await ears.all(worker)).toEqual([makeRecord(id).payload]);
      await expectGone(worker, id);
    });

    const lease = 1_000;
    const ways: [string, (worker: Broker, task: OutgoingTask) => Promise<unknown>][] = [
      ['released', async (worker) => worker.release((await take(worker)).lease)],
      ['postponed', async (worker) => worker.postpone((await take(worker)).lease, 0)],
      ['retried', async (worker, task) => worker.retry((await take(worker)).lease, task, {})],
      [
        'reclaimed',
        async (worker, task) => {
          await take(worker);
          await bench.harness.elapse(lease + 100);
          expect(await worker.reclaim('work')).toEqual([task.id]);
        },
      ],
    ];

    it.each(ways)('is told to the next worker when it is %s', async (_, putBack) => {
      const [worker, other] = [await bench.open({ leaseDurationMs: lease }), await bench.open()];
      const task = await bench.publish(worker);
      const first = await take(worker);
      expect(await revoke(other, task.id)).toBe('active');
      await worker.release(first.lease);
      await putBack(worker, task);
      const delivery = await bench.eventually(async () => (await other.fetch('work')).delivery);
      expect(delivery).toMatchObject({ lease: { id: task.id }, revoked: true });
      await bench.publish(other);
      expect((await take(other)).revoked).toBe(false);
    });

    it('is told with a task that is fetched with finish', async () => {
      const [worker, other] = [await bench.open(), await bench.open()];
      const [first, second, third] = makeTasks(3);
      await worker.publish([first!, second!, third!]);
      const held = [await take(worker), await take(worker)];
      expect(await revoke(other, second!.id)).toBe('active');
      await worker.release(held[1]!.lease);
      const next = await worker.finish(held[0]!.lease, {}, true);
      expect(next.delivery).toMatchObject({ lease: { id: second!.id }, revoked: true });
      const last = await worker.finish(next.delivery!.lease, { publish: [makeTask()] }, true);
      expect(last.delivery).toMatchObject({ lease: { id: third!.id }, revoked: false });
    });

    it('ends it when it is revoked again after it was put back', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker);
      const held = await take(broker);
      expect(await revoke(broker, id)).toBe('active');
      await broker.postpone(held.lease, 60_000);
      expect(await revoke(broker, id)).toBe('ended');
      expect(await broker.results.get(id)).toBe(revoked(id).payload);
      await expectGone(broker, id);
    });
  });

  describe('revoke of an id that is not in the store', () => {
    it('stores the record and marks the task that is published later', async () => {
      const [broker, other] = [await bench.open(), await bench.open()];
      const task = makeTask();
      const ears = await bench.listenFor(broker, task.id);
      expect(await revoke(other, task.id)).toBe('unknown');
      expect(await broker.results.get(task.id)).toBe(revoked(task.id).payload);
      expect(await ears.all(other)).toEqual([revoked(task.id).payload]);
      await broker.publish([task, makeTask()]);
      expect(await take(broker)).toMatchObject({ lease: { id: task.id }, revoked: true });
      expect((await take(broker)).revoked).toBe(false);
    });

    it('marks it without a record when there is none', async () => {
      const broker = await bench.open();
      const task = makeTask({ queue: 'new' });
      expect(await broker.revoke(task.id, undefined, KEEP)).toBe('unknown');
      expect(await broker.results.get(task.id)).toBeUndefined();
      expect(await broker.queues()).toEqual([]);
      await broker.publish([task]);
      expect(await take(broker, 'new')).toMatchObject({ lease: { id: task.id }, revoked: true });
    });

    it('marks delayed tasks and successors, too', async () => {
      const broker = await bench.open();
      const [first, delayed, successor] = [
        makeTask(),
        makeTask({ dueAt: bench.harness.now() + 300, priority: 2 }),
        makeTask(),
      ];
      expect(await revoke(broker, delayed.id)).toBe('unknown');
      expect(await revoke(broker, successor.id)).toBe('unknown');
      await broker.publish([first, delayed]);
      const { lease } = await take(broker);
      const next = await broker.finish(lease, { publish: [successor] }, true);
      expect(next.delivery).toMatchObject({ lease: { id: successor.id }, revoked: true });
      await bench.harness.elapse(400);
      expect(await take(broker)).toMatchObject({ lease: { id: delayed.id }, revoked: true });
    });

    it('ends the task when it is revoked again after it was published', async () => {
      const broker = await bench.open();
      const task = makeTask();
      expect(await revoke(broker, task.id)).toBe('unknown');
      await broker.publish([task]);
      expect(await revoke(broker, task.id)).toBe('ended');
      await expectGone(broker, task.id);
    });

    const ways: [string, Put][] = [
      ['finished', async (broker) => broker.finish((await take(broker)).lease, {}, false)],
      ['purged', (broker) => broker.purge('work')],
      ['revoked', (broker, { id }) => revoke(broker, id)],
    ];

    it.each(ways)('is the answer for a task that was %s', async (_, end) => {
      const broker = await bench.open();
      const task = await bench.publish(broker);
      await end(broker, task);
      expect(await revoke(broker, task.id)).toBe('unknown');
      expect(await broker.results.get(task.id)).toBe(revoked(task.id).payload);
      await broker.publish([task]);
      expect(await take(broker)).toMatchObject({ lease: { id: task.id }, revoked: true });
    });

    it('does not overwrite the result of a task that has finished', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker);
      await broker.finish((await take(broker)).lease, { record: makeRecord(id) }, false);
      const ears = await bench.listenFor(broker, id);
      expect(await revoke(broker, id)).toBe('unknown');
      expect(await broker.results.get(id)).toBe(makeRecord(id).payload);
      expect(await ears.all(broker)).toEqual([]);
    });

    it('overwrites a state that is not final', async () => {
      const broker = await bench.open();
      await broker.results.put(makeRecord('r1', 'STARTED'));
      expect(await revoke(broker, 'r1')).toBe('unknown');
      expect(await broker.results.get('r1')).toBe(revoked('r1').payload);
    });

    it('is the answer for a dead letter, which stays, and is marked when it runs again', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker);
      const outcome = { deadLetter: 'broken', record: makeRecord(id, 'FAILURE') };
      await broker.finish((await take(broker)).lease, outcome, false);
      expect(await revoke(broker, id)).toBe('unknown');
      expect(await broker.results.get(id)).toBe(outcome.record.payload);
      expect(idsOf(await broker.deadLetters('work'))).toEqual([id]);
      expect(await broker.redrive('work', id)).toBe(true);
      expect(await take(broker)).toMatchObject({ lease: { id }, revoked: true });
    });

    it.each(['__proto__', 'a/b c=%20*#$1', '\u{1f600} \'"', '007', 'x'.repeat(200)])(
      'works with unusual ids: %j',
      async (id) => {
        const broker = await bench.open();
        expect(await revoke(broker, id)).toBe('unknown');
        await bench.publish(broker, { id });
        const { lease } = await take(broker);
        expect(await revoke(broker, id)).toBe('active');
        await broker.release(lease);
        expect((await take(broker)).revoked).toBe(true);
      },
    );
  });
}
