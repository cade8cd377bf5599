import { describe, expect, it } from '@jest/globals';

import type { Broker, Lease } from '../../../libs/task-queue/src/brokers/broker.port.js';
import { LeaseLostError } from '../../../libs/task-queue/src/errors/task-queue.errors.js';
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

/** Long enough for a slow machine to act within it, short enough to wait for it. */
const LEASE = 1_000;

export function describeLeases(bench: BrokerBench): void {
  const open = () => bench.open({ leaseDurationMs: LEASE });

  /** A task whose first worker lost it to `thief`. */
  async function stolenTask(): Promise<{ owner: Broker; thief: Broker; lost: Lease; held: Lease }> {
    const [owner, thief] = [await open(), await bench.open()];
    await bench.publish(owner);
    const { lease: lost } = await take(owner);
    await bench.harness.elapse(LEASE + 100);
    expect(await thief.reclaim('work')).toEqual([lost.id]);
    const { lease: held } = await take(thief);
    return { owner, thief, lost, held };
  }

  describe('a lease', () => {
    it('keeps the task from everybody else', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      await bench.publish(one);
      await take(one);
      await expectNothing(one);
      await expectNothing(two);
      expect(await two.reclaim('work')).toEqual([]);
    });

    it('has a new token for every fetch', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      await bench.publish(one);
      await bench.publish(one);
      const tokens = [(await take(one)).lease.token];
      const second = await take(two);
      tokens.push(second.lease.token);
      for (const broker of [one, two, two]) {
        await two.release(second.lease).catch(() => undefined);
        const { lease } = await take(broker);
        tokens.push(lease.token);
        await broker.release(lease);
      }
      expect(new Set(tokens).size).toBe(tokens.length);
    });

    it('that is over lets the task be reclaimed, and its loss is counted', async () => {
      const [worker, other] = [await open(), await open()];
      const { id } = await bench.publish(worker);
      for (const losses of [0, 1, 2]) {
        expect(await take(worker)).toMatchObject({
          lease: { id },
          redeliveries: losses,
          postponements: 0,
        });
        await bench.harness.elapse(LEASE + 100);
        expect(await other.reclaim('work')).toEqual([id]);
        expect(await other.reclaim('work')).toEqual([]);
      }
      const last = await take(other);
      expect(last.redeliveries).toBe(3);
      await other.finish(last.lease, {}, false);
    });

    it('concerns its queue only', async () => {
      const broker = await open();
      const here = await bench.publish(broker);
      const there = await bench.publish(broker, { queue: 'there' });
      await take(broker);
      await take(broker, 'there');
      await bench.harness.elapse(LEASE + 100);
      expect(await broker.reclaim('there')).toEqual([there.id]);
      expect(await broker.counts('work')).toMatchObject({ active: 1, waiting: 0 });
      expect(await broker.reclaim('work')).toEqual([here.id]);
      expect(await broker.reclaim('nowhere')).toEqual([]);
    });

    it('of many tasks can be lost at once, and each is reclaimed once', async () => {
      const [one, two] = [await open(), await open()];
      const tasks = makeTasks(20);
      await one.publish(tasks);
      await Promise.all(tasks.map(() => take(one)));
      await bench.harness.elapse(LEASE + 200);
      const reclaimed = await Promise.all([one.reclaim('work'), two.reclaim('work')]);
      expect(reclaimed.flat().toSorted()).toEqual(idsOf(tasks).toSorted());
      expect((await two.counts('work')).waiting).toBe(20);
    });

    it('is not reclaimed while it lasts, next to one that is over', async () => {
      const [brief, lasting] = [await open(), await bench.open()];
      const [lost, held] = [await bench.publish(brief), await bench.publish(brief)];
      await take(brief);
      await take(lasting);
      await bench.harness.elapse(LEASE + 100);
      expect(await lasting.reclaim('work')).toEqual([lost.id]);
      expect(await lasting.locate(held.id)).toEqual({ queue: 'work', state: 'active' });
    });
  });

  describe('a lost lease', () => {
    it('lets nothing be recorded: finish', async () => {
      const { owner, thief, lost, held } = await stolenTask();
      const successor = makeTask();
      const outcome = { record: makeRecord(lost.id), publish: [successor], announce: '{}' };
      const heard: string[] = [];
      thief.onResult((id) => heard.push(id));
      await thief.watch(lost.id);
      await expect(owner.finish(lost, outcome, false)).rejects.toBeInstanceOf(LeaseLostError);
      await expect(
        owner.finish(lost, { ...outcome, deadLetter: 'broken' }, true),
      ).rejects.toMatchObject({ taskId: lost.id });
      expect(await thief.results.get(lost.id)).toBeUndefined();
      expect(await thief.locate(successor.id)).toBeUndefined();
      expect(await thief.counts('work')).toEqual({ waiting: 0, delayed: 0, active: 1, dead: 0 });
      await thief.announce(lost.id, '{"fence":true}');
      await bench.eventually(() => heard[0]);
      expect(heard).toHaveLength(1);
      await thief.finish(held, { record: makeRecord(held.id) }, false);
      expect(await owner.results.get(held.id)).toBe(makeRecord(held.id).payload);
    });

    it('lets nothing be fetched with finish', async () => {
      const { owner, lost } = await stolenTask();
      await bench.publish(owner);
      await expect(owner.finish(lost, {}, true)).rejects.toBeInstanceOf(LeaseLostError);
      expect(await owner.counts('work')).toMatchObject({ waiting: 1, active: 1 });
    });

    it('lets nothing be recorded: release', async () => {
      const { owner, thief, lost, held } = await stolenTask();
      await expect(owner.release(lost)).rejects.toBeInstanceOf(LeaseLostError);
      await expectNothing(owner);
      expect(await thief.locate(held.id)).toEqual({ queue: 'work', state: 'active' });
      await thief.release(held);
    });

    it('lets nothing be recorded: postpone', async () => {
      const { owner, thief, lost, held } = await stolenTask();
      await expect(owner.postpone(lost, 10)).rejects.toBeInstanceOf(LeaseLostError);
      expect(await thief.locate(held.id)).toEqual({ queue: 'work', state: 'active' });
      await thief.release(held);
      expect((await take(thief)).postponements).toBe(0);
    });

    it('is what a reclaimed task leaves, before anybody fetches it', async () => {
      const [owner, other] = [await open(), await bench.open()];
      const { id } = await bench.publish(owner);
      const { lease } = await take(owner);
      await bench.harness.elapse(LEASE + 100);
      expect(await other.reclaim('work')).toEqual([id]);
      const record = makeRecord(id);
      await expect(owner.finish(lease, { record }, false)).rejects.toBeInstanceOf(LeaseLostError);
      await expect(owner.release(lease)).rejects.toBeInstanceOf(LeaseLostError);
      await expect(owner.postpone(lease, 10)).rejects.toBeInstanceOf(LeaseLostError);
      expect(await other.results.get(id)).toBeUndefined();
      // As a worker does: what was refused a moment ago may hide the task for that moment.
      const { delivery } = await bench.eventually(async () => {
        expect(await other.waitForWork(['work'], 5_000)).toContainEqual({ queue: 'work' });
        const fetched = await other.fetch('work');
        return fetched.delivery && fetched;
      });
      expect(delivery).toMatchObject({ lease: { id }, redeliveries: 1, postponements: 0 });
    });

    it('is one of a task that is gone, or was never there', async () => {
      const broker = await bench.open();
      await bench.publish(broker);
      const { lease } = await take(broker);
      await broker.release(lease);
      await expect(broker.finish(lease, {}, false)).rejects.toBeInstanceOf(LeaseLostError);
      await expect(broker.release(lease)).rejects.toBeInstanceOf(LeaseLostError);
      const invented = { id: 'never-there', queue: 'work', token: 'none' };
      await expect(broker.finish(invented, {}, false)).rejects.toBeInstanceOf(LeaseLostError);
      await expect(broker.release(invented)).rejects.toBeInstanceOf(LeaseLostError);
      await expect(broker.postpone(invented, 10)).rejects.toBeInstanceOf(LeaseLostError);
      expect(await broker.counts('work')).toMatchObject({ waiting: 1, active: 0 });
    });
  });

  describe('release', () => {
    it('makes the task the next of its queue and counts nothing', async () => {
      const broker = await bench.open();
      const [first, second, third] = makeTasks(3);
      await broker.publish([first!, second!, third!]);
      const held = await take(broker);
      await take(broker);
      await broker.release(held.lease);
      const again = await take(broker);
      expect(again).toMatchObject({
        lease: { id: first!.id },
        data: held.data,
        publishedAt: held.publishedAt,
        redeliveries: 0,
        postponements: 0,
      });
      await broker.release(again.lease);
      expect(await drain(broker)).toEqual([first!.id, third!.id]);
    });
  });

  describe('postpone', () => {
    it('puts the task back with a delay, and counts it', async () => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker);
      const first = await take(broker);
      const before = bench.harness.now();
      await broker.postpone(first.lease, 600);
      const early = await broker.fetch('work');
      expect(early.delivery).toBeUndefined();
      expect(early.nextDueAt).toBeGreaterThanOrEqual(before + 500);
      expect(early.nextDueAt).toBeLessThanOrEqual(bench.harness.now() + 700);
      expect(await broker.counts('work')).toMatchObject({ delayed: 1, active: 0 });
      await bench.harness.elapse(750);
      expect(await take(broker)).toMatchObject({
        lease: { id },
        data: first.data,
        publishedAt: first.publishedAt,
        redeliveries: 0,
        postponements: 1,
      });
    });

    it('counts every time, also without a delay, and next to other counts', async () => {
      const broker = await open();
      await bench.publish(broker);
      for (const postponements of [0, 1, 2]) {
        const delivery = await bench.eventually(async () => (await broker.fetch('work')).delivery);
        expect(delivery).toMatchObject({ postponements, redeliveries: 0 });
        await broker.postpone(delivery.lease, 0);
      }
      const delivery = await bench.eventually(async () => (await broker.fetch('work')).delivery);
      await bench.harness.elapse(LEASE + 100);
      expect(await broker.reclaim('work')).toEqual([delivery.lease.id]);
      expect(await take(broker)).toMatchObject({ postponements: 3, redeliveries: 1 });
    });
  });

  describe('the keeper of leases', () => {
    it('keeps a lease for as long as it is told to', async () => {
      const [worker, other] = [await open(), await open()];
      const { id } = await bench.publish(worker);
      const keeper = await worker.keepLeases(4);
      const lost: Lease[] = [];
      keeper.onLost((lease) => lost.push(lease));
      const { lease } = await take(worker);
      keeper.add(lease);
      for (let i = 0; i < 5; i++) {
        await bench.harness.elapse(LEASE / 2);
        expect(await other.reclaim('work')).toEqual([]);
      }
      keeper.remove(lease);
      await bench.harness.elapse(LEASE + 200);
      expect(await other.reclaim('work')).toEqual([id]);
      expect(lost).toEqual([]);
      await keeper.close();
    }, 20_000);

    it('keeps as many leases as it has room for, of several queues, and room comes back', async () => {
      const worker = await open();
      const keeper = await worker.keepLeases(20);
      await worker.publish([...makeTasks(10), ...makeTasks(10, { queue: 'other' })]);
      const leases: Lease[] = [];
      for (let i = 0; i < 10; i++) {
        for (const queue of ['work', 'other']) {
          const { lease } = await take(worker, queue);
          keeper.add(lease);
          leases.push(lease);
        }
      }
      await bench.harness.elapse(LEASE * 1.5);
      expect([...(await worker.reclaim('work')), ...(await worker.reclaim('other'))]).toEqual([]);
      for (const lease of leases) {
        keeper.remove(lease);
        await worker.finish(lease, {}, false);
      }
      await worker.publish(makeTasks(20));
      for (let i = 0; i < 20; i++) {
        keeper.add((await take(worker)).lease);
      }
      await bench.harness.elapse(LEASE * 1.5);
      expect(await worker.reclaim('work')).toEqual([]);
      await keeper.close();
    }, 20_000);

    it('says which lease turned out to be lost, and keeps the others', async () => {
      const { owner, lost, held, thief } = await stolenTask();
      const keeper = await owner.keepLeases(4);
      const told: Lease[] = [];
      keeper.onLost((lease) => told.push(lease));
      await bench.publish(owner);
      const { lease: kept } = await take(owner);
      keeper.add(kept);
      keeper.add(lost);
      await bench.eventually(() => told[0]);
      await bench.harness.elapse(LEASE);
      expect(told).toEqual([lost]);
      expect(await thief.reclaim('work')).toEqual([]);
      expect(await thief.locate(held.id)).toEqual({ queue: 'work', state: 'active' });
      await keeper.close();
    }, 20_000);

    it('renews nothing after its end, and ignores leases it does not know', async () => {
      const worker = await open();
      const { id } = await bench.publish(worker);
      const keeper = await worker.keepLeases(1);
      const { lease } = await take(worker);
      keeper.remove(lease);
      keeper.add(lease);
      keeper.remove({ id: 'unknown', queue: 'work', token: 'unknown' });
      await keeper.close();
      await bench.harness.elapse(LEASE + 200);
      expect(await worker.reclaim('work')).toEqual([id]);
    });
  });
}
