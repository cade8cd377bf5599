import { describe, expect, it } from '@jest/globals';

import type {
  Broker,
  Lease,
  OutgoingTask,
} from '../../../libs/task-queue/src/brokers/broker.port.js';
import { LeaseLostError } from '../../../libs/task-queue/src/errors/task-queue.errors.js';
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

const revoked = (id: string) => makeRecord(id, 'REVOKED');

/** The message of the next attempt. */
function again(task: OutgoingTask, fields: Partial<OutgoingTask> = {}): OutgoingTask {
  return { ...task, data: makeData([2, 3], { retries: 1 }), ...fields };
}

export function describeRetrying(bench: BrokerBench): void {
  /** A published task that a worker holds. */
  async function heldTask(
    broker: Broker,
    fields: Partial<OutgoingTask> = {},
  ): Promise<{ task: OutgoingTask; lease: Lease }> {
    const task = await bench.publish(broker, fields);
    const { lease } = await take(broker, task.queue);
    expect(lease.id).toBe(task.id);
    return { task, lease };
  }

  describe('retry', () => {
    it('ends the lease and puts the task back under its new message', async () => {
      const [broker, other] = [await bench.open(), await bench.open()];
      const { task, lease } = await heldTask(broker, { name: 'demoapp.tasks.add' });
      const next = again(task);
      await broker.retry(lease, next, {});
      expect(await other.counts('work')).toEqual({ waiting: 1, delayed: 0, active: 0, dead: 0 });
      expect(await other.locate(task.id)).toEqual({ queue: 'work', state: 'waiting' });
      const delivery = await take(other);
      expect(delivery).toMatchObject({
        lease: { id: task.id, queue: 'work' },
        name: 'demoapp.tasks.add',
        redeliveries: 0,
        postponements: 0,
        revoked: false,
      });
      expect(JSON.parse(delivery.data)).toEqual(JSON.parse(next.data));
      expect(delivery.lease.token).not.toBe(lease.token);
      await expectNothing(other);
    });

    it('leaves nothing of the lease', async () => {
      const broker = await bench.open();
      const { task, lease } = await heldTask(broker);
      await broker.retry(lease, again(task), {});
      await expect(broker.retry(lease, task, {})).rejects.toBeInstanceOf(LeaseLostError);
      await expect(broker.finish(lease, {}, false)).rejects.toBeInstanceOf(LeaseLostError);
      await expect(broker.release(lease)).rejects.toBeInstanceOf(LeaseLostError);
      await expect(broker.postpone(lease, 10)).rejects.toBeInstanceOf(LeaseLostError);
      expect(await broker.reclaim('work')).toEqual([]);
      expect(await broker.counts('work')).toMatchObject({ waiting: 1, active: 0 });
    });

    it.each([
      ['no time', () => undefined],
      ['a past time', (now: number) => now - 60_000],
      ['a time long ago', () => 0],
    ])('puts it to the end of the queue, to be fetched at once: %s', async (_, dueAt) => {
      const broker = await bench.open();
      const tasks = makeTasks(3);
      await broker.publish(tasks);
      const { lease } = await take(broker);
      await broker.retry(lease, again(tasks[0]!, { dueAt: dueAt(bench.harness.now()) }), {});
      expect(await drain(broker)).toEqual(idsOf([tasks[1]!, tasks[2]!, tasks[0]!]));
    });

    it('delays it until its new time', async () => {
      const broker = await bench.open();
      const { task, lease } = await heldTask(broker);
      const dueAt = bench.harness.now() + 600;
      await broker.retry(lease, again(task, { dueAt }), {});
      expect(await broker.fetch('work')).toEqual({ nextDueAt: dueAt });
      expect(await broker.counts('work')).toMatchObject({ waiting: 0, delayed: 1, active: 0 });
      expect(await broker.locate(task.id)).toEqual({ queue: 'work', state: 'delayed' });
      await bench.harness.elapse(650);
      expect(await take(broker)).toMatchObject({ lease: { id: task.id }, postponements: 0 });
    });

    it('puts it into its new queue', async () => {
      const broker = await bench.open();
      const { task, lease } = await heldTask(broker);
      const before = await bench.publish(broker, { queue: 'slow' });
      await broker.retry(lease, again(task, { queue: 'slow' }), {});
      await expectNothing(broker);
      expect(await broker.counts('work')).toEqual({ waiting: 0, delayed: 0, active: 0, dead: 0 });
      expect(await broker.locate(task.id)).toEqual({ queue: 'slow', state: 'waiting' });
      expect(await drain(broker, 'slow')).toEqual([before.id, task.id]);
    });

    it('makes its new queue known', async () => {
      const broker = await bench.open();
      const { task, lease } = await heldTask(broker);
      await broker.retry(
        lease,
        again(task, { queue: 'new', dueAt: bench.harness.now() + 60_000 }),
        {},
      );
      expect(await (await bench.open()).queues()).toEqual(['new', 'work']);
    });

    it('stores the record, and wakes who waits for it', async () => {
      const [watcher, worker] = [await bench.open(), await bench.open()];
      const { task, lease } = await heldTask(worker);
      const ears = await bench.listenFor(watcher, task.id);
      const record = makeRecord(task.id, 'RETRY', { result: 'not yet' });
      await worker.retry(lease, again(task), { record });
      expect(await watcher.results.get(task.id)).toBe(record.payload);
      expect(await ears.all(worker)).toEqual([record.payload]);
      const last = makeRecord(task.id, 'SUCCESS', { result: 5 });
      await worker.finish((await take(worker)).lease, { record: last }, false);
      expect(await watcher.results.get(task.id)).toBe(last.payload);
      expect(await ears.all(worker)).toEqual([record.payload, last.payload]);
    });

    it('makes the announcement, which is not stored', async () => {
      const [watcher, worker] = [await bench.open(), await bench.open()];
      const { task, lease } = await heldTask(worker);
      const ears = await bench.listenFor(watcher, task.id);
      const announce = '{"status":"RETRY"}';
      await worker.retry(lease, again(task), { announce });
      expect(await ears.all(worker)).toEqual([announce]);
      expect(await watcher.results.get(task.id)).toBeUndefined();
    });

    it('puts it back also when a final state stands, which stays', async () => {
      const broker = await bench.open();
      const { task, lease } = await heldTask(broker);
      await broker.results.put(revoked(task.id));
      await broker.retry(lease, again(task), { record: makeRecord(task.id, 'RETRY') });
      expect(await broker.results.get(task.id)).toBe(revoked(task.id).payload);
      expect(await drain(broker)).toEqual([task.id]);
    });

    it('counts postponements anew', async () => {
      const broker = await bench.open();
      const { task, lease } = await heldTask(broker);
      await broker.postpone(lease, 0);
      const next = async () => bench.eventually(async () => (await broker.fetch('work')).delivery);
      let delivery = await next();
      expect(delivery.postponements).toBe(1);
      await broker.retry(delivery.lease, again(task), {});
      delivery = await next();
      expect(delivery.postponements).toBe(0);
      await broker.postpone(delivery.lease, 0);
      expect((await next()).postponements).toBe(1);
    });

    it('can be done many times, by any process', async () => {
      const brokers = [await bench.open(), await bench.open()];
      const task = await bench.publish(brokers[0]!);
      for (let retries = 0; retries < 10; retries++) {
        const broker = brokers[retries % 2]!;
        const delivery = await take(broker);
        const headers = retries > 0 ? { retries } : {};
        expect(JSON.parse(delivery.data)).toEqual(JSON.parse(makeData([2, 3], headers)));
        const data = makeData([2, 3], { retries: retries + 1 });
        const record = makeRecord(task.id, 'RETRY', { result: retries });
        await broker.retry(delivery.lease, { ...task, data }, { record });
      }
      expect(await drain(brokers[0]!)).toEqual([task.id]);
      expect(await brokers[0]!.locate(task.id)).toBeUndefined();
    });

    it('serves many at once, each once', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      const tasks = makeTasks(60);
      await one.publish(tasks);
      await Promise.all(
        tasks.map(async (_, index) => {
          const broker = index % 2 ? one : two;
          const { lease } = await take(broker);
          const queue = index % 3 ? 'work-again' : 'elsewhere';
          const record = makeRecord(lease.id, 'RETRY');
          await broker.retry(lease, makeTask({ id: lease.id, queue }), { record });
        }),
      );
      const ran = [...(await drain(one, 'work-again')), ...(await drain(two, 'elsewhere'))];
      expect(ran.toSorted()).toEqual(idsOf(tasks).toSorted());
      expect(await one.counts('work')).toMatchObject({ waiting: 0, active: 0 });
    });

    it('wakes who waits for work', async () => {
      const [worker, other] = [await bench.open(), await bench.open()];
      const { task, lease } = await heldTask(other);
      const wait = await bench.restingWait(worker, ['work']);
      await other.retry(lease, again(task), {});
      expect(await wait.promise).toContainEqual({ queue: 'work' });
      const held = await take(worker);
      const elsewhere = await bench.restingWait(worker, ['elsewhere']);
      await other.retry(held.lease, again(task, { queue: 'elsewhere' }), {});
      expect(await elsewhere.promise).toContainEqual({ queue: 'elsewhere' });
      expect(await drain(worker, 'elsewhere')).toEqual([task.id]);
    });

    it.each(['__proto__', 'a/b c=%20*#$1', '\u{1f600} \'"', '007'])(
      'works with unusual ids and texts: %j',
      async (id) => {
        const broker = await bench.open();
        const { task, lease } = await heldTask(broker, { id });
        const data = makeData(['a\u0000b \ud800 \u{1f600} \'"\\', 'x'.repeat(100_000)]);
        const record = makeRecord(id, 'RETRY', { result: 'a\u0000b \ud800 \'"\\' });
        await broker.retry(lease, again(task, { data }), { record });
        const delivery = await take(broker);
        expect(delivery.lease.id).toBe(id);
        expect(JSON.parse(delivery.data)).toEqual(JSON.parse(data));
        expect(await broker.results.get(id)).toBe(record.payload);
      },
    );
  });

  describe('a task that waits for its retry', () => {
    it('is not published again meanwhile', async () => {
      const broker = await bench.open();
      const [waiting, delayed] = [await heldTask(broker), await heldTask(broker)];
      const next = again(waiting.task);
      await broker.retry(waiting.lease, next, {});
      const dueAt = bench.harness.now() + 60_000;
      await broker.retry(delayed.lease, again(delayed.task, { dueAt }), {});
      await broker.publish([waiting.task, delayed.task]);
      await broker.publish([delayed.task, waiting.task], true);
      const delivery = await take(broker);
      expect(delivery.lease.id).toBe(waiting.task.id);
      expect(JSON.parse(delivery.data)).toEqual(JSON.parse(next.data));
      expect(await broker.fetch('work')).toEqual({ nextDueAt: dueAt });
    });

    it('in another queue is not published again by the rest of a broken call', async () => {
      const broker = await bench.open();
      const { task, lease } = await heldTask(broker);
      await broker.retry(lease, again(task, { queue: 'slow' }), { announce: '{}' });
      await broker.publish([task], true);
      await expectNothing(broker);
      expect(await drain(broker, 'slow')).toEqual([task.id]);
    });

    it('ends when it expires', async () => {
      const [broker, other] = [await bench.open(), await bench.open()];
      const expiresAt = bench.harness.now() + 500;
      const [waiting, delayed] = [
        await heldTask(broker, { expiresAt }),
        await heldTask(broker, { expiresAt }),
      ];
      const record = (id: string) => ({ record: makeRecord(id, 'RETRY') });
      await broker.retry(waiting.lease, again(waiting.task), record(waiting.task.id));
      const next = again(delayed.task, { dueAt: expiresAt + 60_000 });
      await broker.retry(delayed.lease, next, record(delayed.task.id));
      expect(await other.expire(revoked)).toEqual([]);
      await bench.harness.elapse(600);
      const ids = idsOf([waiting.task, delayed.task]);
      expect((await other.expire(revoked)).toSorted()).toEqual(ids.toSorted());
      expect(await broker.results.getMany(ids)).toEqual(ids.map((id) => revoked(id).payload));
      expect(await broker.fetch('work')).toEqual({});
    });

    it('expires at its new time, if at all', async () => {
      const broker = await bench.open();
      const expiresAt = bench.harness.now() + 500;
      const [lasting, later, sooner] = [
        await heldTask(broker, { expiresAt }),
        await heldTask(broker, { expiresAt }),
        await heldTask(broker),
      ];
      await broker.retry(lasting.lease, again(lasting.task, { expiresAt: undefined }), {});
      const distant = expiresAt + 60_000;
      await broker.retry(later.lease, again(later.task, { expiresAt: distant }), {});
      await broker.retry(sooner.lease, again(sooner.task, { expiresAt }), {});
      await bench.harness.elapse(600);
      expect(await broker.expire(revoked)).toEqual([sooner.task.id]);
      expect(await drain(broker)).toEqual(idsOf([lasting.task, later.task]));
    });

    it('expires in its new queue', async () => {
      const broker = await bench.open();
      const { task, lease } = await heldTask(broker);
      const expiresAt = bench.harness.now() + 300;
      await broker.retry(lease, again(task, { queue: 'slow', expiresAt }), {});
      await bench.harness.elapse(400);
      expect(await broker.expire(revoked)).toEqual([task.id]);
      expect(await broker.counts('slow')).toMatchObject({ waiting: 0 });
    });
  });

  describe('a retry under a lost lease', () => {
    const outcome = (id: string) => ({ record: makeRecord(id, 'RETRY'), announce: '{}' });

    it('is refused, and nothing is stored', async () => {
      const [owner, thief] = [await bench.open({ leaseDurationMs: 1_000 }), await bench.open()];
      const { task, lease: lost } = await heldTask(owner);
      await bench.harness.elapse(1_100);
      expect(await thief.reclaim('work')).toEqual([task.id]);
      const held = await take(thief);
      const ears = await bench.listenFor(thief, task.id);
      const next = again(task, { queue: 'elsewhere' });
      await expect(owner.retry(lost, next, outcome(task.id))).rejects.toBeInstanceOf(
        LeaseLostError,
      );
      await expect(owner.retry(lost, again(task), outcome(task.id))).rejects.toMatchObject({
        taskId: task.id,
      });
      expect(await ears.all(owner)).toEqual([]);
      expect(await thief.results.get(task.id)).toBeUndefined();
      expect(await thief.queues()).toEqual(['work']);
      expect(await thief.counts('work')).toEqual({ waiting: 0, delayed: 0, active: 1, dead: 0 });
      await thief.release(held.lease);
      expect(JSON.parse((await take(thief)).data)).toEqual(JSON.parse(task.data));
    });

    it('is refused after the task was reclaimed, has ended, or when it never was', async () => {
      const [owner, other] = [await bench.open({ leaseDurationMs: 1_000 }), await bench.open()];
      const { task, lease } = await heldTask(owner);
      const { task: ended, lease: over } = await heldTask(owner, { queue: 'ended' });
      await owner.finish(over, {}, false);
      await bench.harness.elapse(1_100);
      expect(await other.reclaim('work')).toEqual([task.id]);
      const invented = { id: 'never-there', queue: 'work', token: 'none' };
      for (const [lost, next] of [
        [lease, again(task)],
        [over, again(ended)],
        [invented, makeTask({ id: 'never-there' })],
      ] as const) {
        await expect(owner.retry(lost, next, outcome(lost.id))).rejects.toBeInstanceOf(
          LeaseLostError,
        );
        expect(await other.results.get(lost.id)).toBeUndefined();
      }
      expect(await other.locate(ended.id)).toBeUndefined();
      expect(await other.locate('never-there')).toBeUndefined();
      expect(await other.counts('work')).toMatchObject({ waiting: 1, active: 0, delayed: 0 });
    });
  });
}
