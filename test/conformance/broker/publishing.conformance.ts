import { describe, expect, it } from '@jest/globals';

import type { Fetched } from '../../../libs/task-queue/src/brokers/broker.port.js';
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

export function describePublishing(bench: BrokerBench): void {
  describe('publish and fetch', () => {
    it('deliver a task with all that was published', async () => {
      const broker = await bench.open();
      const before = bench.harness.now();
      const task = await bench.publish(broker, { name: 'demoapp.tasks.add' });
      const after = bench.harness.now();
      const delivery = await take(await bench.open());
      expect(delivery).toEqual({
        lease: { id: task.id, queue: 'work', token: expect.any(String) },
        name: 'demoapp.tasks.add',
        data: expect.any(String),
        publishedAt: expect.any(Number),
        redeliveries: 0,
        postponements: 0,
        revoked: false,
      });
      expect(JSON.parse(delivery.data)).toEqual(JSON.parse(task.data));
      // The store's clock may differ a little from this one's.
      expect(delivery.publishedAt).toBeGreaterThanOrEqual(before - 100);
      expect(delivery.publishedAt).toBeLessThanOrEqual(after + 100);
    });

    it('keep the order of the calls', async () => {
      const broker = await bench.open();
      const tasks = makeTasks(10);
      for (const task of tasks) {
        await broker.publish([task]);
      }
      expect(await drain(broker)).toEqual(idsOf(tasks));
    });

    it('keep the order within a call', async () => {
      const broker = await bench.open();
      const tasks = makeTasks(300);
      await broker.publish(tasks);
      expect(await drain(broker)).toEqual(idsOf(tasks));
    });

    it('take a call for several queues at once', async () => {
      const broker = await bench.open();
      const mail = makeTasks(3, { queue: 'mail' });
      const reports = makeTasks(3, { queue: 'reports' });
      await broker.publish(mail.flatMap((task, index) => [task, reports[index]!]));
      expect(await drain(broker, 'reports')).toEqual(idsOf(reports));
      expect(await drain(broker, 'mail')).toEqual(idsOf(mail));
      await expectNothing(broker);
    });

    it('accept an empty call', async () => {
      const broker = await bench.open();
      await broker.publish([]);
      expect(await broker.queues()).toEqual([]);
    });

    it('answer with nothing for a queue that nobody published into', async () => {
      const broker = await bench.open();
      expect(await broker.fetch('nowhere')).toEqual({});
    });

    it('are ready for others when publish resolves', async () => {
      const [producer, consumer] = [await bench.open(), await bench.open()];
      for (let i = 0; i < 10; i++) {
        const { id } = await bench.publish(producer);
        expect((await take(consumer)).lease.id).toBe(id);
      }
    });

    it('serve 1,000 concurrent publishes and 10 concurrent fetchers, each task once', async () => {
      const producer = await bench.open();
      const tasks = makeTasks(1_000);
      await Promise.all(tasks.map((task) => producer.publish([task])));
      expect((await producer.counts('work')).waiting).toBe(1_000);
      const consumers = [await bench.open(), await bench.open()];
      const fetched: string[] = [];
      const consume = async (number: number): Promise<void> => {
        const broker = consumers[number % 2]!;
        let next: Fetched = await broker.fetch('work');
        while (next.delivery) {
          fetched.push(next.delivery.lease.id);
          next = await broker.finish(next.delivery.lease, {}, true);
        }
      };
      await Promise.all(Array.from({ length: 10 }, (_, number) => consume(number)));
      expect(fetched).toHaveLength(1_000);
      expect(new Set(fetched)).toEqual(new Set(idsOf(tasks)));
    }, 60_000);

    it('share nothing with the brokers of another group', async () => {
      const [ours, theirs] = [await bench.open(), await bench.open({ group: 'theirs' })];
      const { id } = await bench.publish(ours);
      await ours.results.put(makeRecord(id));
      await expectNothing(theirs);
      expect(await theirs.queues()).toEqual([]);
      expect(await theirs.results.get(id)).toBeUndefined();
    });
  });

  describe('a delayed task', () => {
    it('is not fetched before its time, and is fetched at it', async () => {
      const broker = await bench.open();
      const dueAt = bench.harness.now() + 600;
      const { id } = await bench.publish(broker, { dueAt });
      const early = await broker.fetch('work');
      expect(early.delivery).toBeUndefined();
      expect(early.nextDueAt).toBe(dueAt);
      await bench.harness.elapse(650);
      expect((await take(broker)).lease.id).toBe(id);
      expect(await broker.fetch('work')).toEqual({});
    });

    it('is fetched at once when its time is past', async () => {
      const broker = await bench.open();
      const past = await bench.publish(broker, { dueAt: bench.harness.now() - 60_000 });
      const ancient = await bench.publish(broker, { dueAt: 0 });
      expect(await drain(broker)).toEqual([past.id, ancient.id]);
    });

    it('lets tasks without a delay pass, and an earlier one that was published later', async () => {
      const broker = await bench.open();
      const now = bench.harness.now();
      const late = await bench.publish(broker, { dueAt: now + 1_300 });
      const soon = await bench.publish(broker, { dueAt: now + 500 });
      const prompt = await bench.publish(broker);
      expect((await take(broker)).lease.id).toBe(prompt.id);
      expect((await broker.fetch('work')).nextDueAt).toBe(now + 500);
      await bench.harness.elapse(550);
      expect((await take(broker)).lease.id).toBe(soon.id);
      expect((await broker.fetch('work')).nextDueAt).toBe(now + 1_300);
      await bench.harness.elapse(800);
      expect((await take(broker)).lease.id).toBe(late.id);
    });

    it('may be due in years', async () => {
      const broker = await bench.open();
      const dueAt = bench.harness.now() + 3 * 365 * 86_400_000;
      await bench.publish(broker, { dueAt });
      const fetched = await broker.fetch('work');
      expect(fetched).toEqual({ nextDueAt: dueAt });
    });
  });

  describe('publishing an id again', () => {
    it('changes nothing while the task waits', async () => {
      const broker = await bench.open();
      const task = await bench.publish(broker, { data: makeData(['first']) });
      await broker.publish([{ ...task, name: 'other', data: makeData(['second']) }]);
      const delivery = await take(broker);
      expect(delivery.name).toBe(task.name);
      expect(JSON.parse(delivery.data)).toEqual(JSON.parse(task.data));
      await expectNothing(broker);
    });

    it('changes nothing while the task is delayed', async () => {
      const broker = await bench.open();
      const dueAt = bench.harness.now() + 60_000;
      const task = await bench.publish(broker, { dueAt });
      await broker.publish([{ ...task, dueAt: undefined }]);
      expect(await broker.fetch('work')).toEqual({ nextDueAt: dueAt });
      expect(await broker.counts('work')).toMatchObject({ waiting: 0, delayed: 1 });
    });

    it('changes nothing while a worker holds the task', async () => {
      const broker = await bench.open();
      const task = await bench.publish(broker);
      const { lease } = await take(broker);
      await broker.publish([task]);
      await expectNothing(broker);
      await broker.finish(lease, {}, false);
      expect(await drain(broker)).toEqual([]);
    });

    it('stores one task when it happens in one call, or at once in two processes', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      const twice = makeTask();
      await one.publish([twice, twice]);
      const both = makeTask();
      await Promise.all([one.publish([both]), two.publish([both]), one.publish([both])]);
      expect(await drain(one)).toEqual([twice.id, both.id]);
    });

    it('does not hinder the other tasks of the call', async () => {
      const broker = await bench.open();
      const first = await bench.publish(broker);
      const others = makeTasks(2);
      await broker.publish([others[0]!, first, others[1]!]);
      expect(await drain(broker)).toEqual([first.id, ...idsOf(others)]);
    });

    it('runs the task again when it has ended', async () => {
      const broker = await bench.open();
      const task = await bench.publish(broker);
      await drain(broker);
      await broker.publish([task]);
      expect(await drain(broker)).toEqual([task.id]);
    });
  });

  describe('publishing an id again after a broken call', () => {
    it('stores what is not there yet', async () => {
      const broker = await bench.open();
      const tasks = makeTasks(2);
      await broker.publish(tasks.slice(0, 1));
      await broker.publish(tasks, true);
      expect(await drain(broker)).toEqual(idsOf(tasks));
    });

    it('does not run a task again that has run, with or without a record', async () => {
      const [producer, worker] = [await bench.open(), await bench.open()];
      const [recorded, bare, missing] = [makeTask(), makeTask(), makeTask()];
      await producer.publish([recorded, bare]);
      await worker.finish((await take(worker)).lease, { record: makeRecord(recorded.id) }, false);
      await worker.finish((await take(worker)).lease, {}, false);
      await producer.publish([recorded, missing, bare], true);
      expect(await drain(producer)).toEqual([missing.id]);
    });

    it('does not run a task again whose result is announced only, or that is dead', async () => {
      const broker = await bench.open();
      const [announced, dead] = [makeTask(), makeTask()];
      await broker.publish([announced, dead]);
      await broker.finish((await take(broker)).lease, { announce: '{"status":"SUCCESS"}' }, false);
      await broker.finish((await take(broker)).lease, { deadLetter: 'broken' }, false);
      await broker.publish([announced], true);
      await broker.publish([dead], true);
      await expectNothing(broker);
      expect((await broker.deadLetters('work')).map(({ id }) => id)).toEqual([dead.id]);
    });

    it('changes nothing while a worker holds the task', async () => {
      const broker = await bench.open();
      const task = await bench.publish(broker);
      const { lease } = await take(broker);
      await broker.publish([task], true);
      await expectNothing(broker);
      await broker.finish(lease, {}, false);
      expect(await drain(broker)).toEqual([]);
    });
  });

  describe('unusual', () => {
    const ids = [
      'x',
      'x'.repeat(200),
      '\u65e5'.repeat(66),
      '\u{1f600} smile',
      'it\'s "quoted" \\ and {braced} [too]',
      'a/b?c=%20&d=*#$1',
      '__proto__',
      'constructor',
      '007',
      'new\nline\ttab',
    ];

    it.each(ids)('ids survive a whole life: %j', async (id) => {
      const broker = await bench.open();
      await bench.publish(broker, { id, expiresAt: bench.harness.now() + 60_000 });
      expect(await broker.locate(id)).toEqual({ queue: 'work', state: 'waiting' });
      const heard: string[] = [];
      broker.onResult((heardId) => heard.push(heardId));
      await broker.watch(id);
      const { lease } = await take(broker);
      expect(lease.id).toBe(id);
      const record = makeRecord(id);
      const successor = makeTask();
      await broker.finish(lease, { record, publish: [successor] }, false);
      expect(await broker.results.get(id)).toBe(record.payload);
      expect(await bench.eventually(() => heard[0])).toBe(id);
      expect(await broker.locate(id)).toBeUndefined();
      expect(await drain(broker)).toEqual([successor.id]);
    });

    it.each([
      'mail.high',
      'a-b_c',
      'two words',
      '\u043f\u043e\u0447\u0442\u0430 \u2713',
      "o'clock",
    ])('names of queues work: %j', async (queue) => {
      const broker = await bench.open();
      const { id } = await bench.publish(broker, { queue });
      expect(await broker.waitForWork([queue], 5_000)).toContainEqual({ queue });
      expect(await broker.queues()).toEqual([queue]);
      expect(await drain(broker, queue)).toEqual([id]);
    });

    it.each([
      ['NUL', 'a\u0000b'],
      ['lone surrogates', '\ud800 and \udfff'],
      ['quotes and backslashes', `'"\\"'\\u0000\\\\u0000`],
      ['control characters', '\u0001\u001f\u007f\u2028\r\n'],
      ['emoji and accents', '\u{1f9d1}\u200d\u{1f680} \u00e9e\u0301'],
    ])('texts inside the data survive: %s', async (_, text) => {
      const broker = await bench.open();
      const data = makeData([text, { [text]: text }], { shadow: text });
      const single = await bench.publish(broker, { data });
      const many = makeTasks(2, { data });
      await broker.publish(many);
      for (const { id } of [single, ...many]) {
        const delivery = await take(broker);
        expect(delivery.lease.id).toBe(id);
        expect(JSON.parse(delivery.data)).toEqual(JSON.parse(data));
      }
    });

    it('sizes work: 1 MiB of data', async () => {
      const broker = await bench.open();
      const data = makeData(['x'.repeat(2 ** 20)]);
      await bench.publish(broker, { data });
      const delivery = await take(broker);
      expect(JSON.parse(delivery.data)).toEqual(JSON.parse(data));
    });
  });
}
