import { describe, expect, it } from '@jest/globals';

import type { Broker } from '../../../libs/task-queue/src/brokers/broker.port.js';
import { makeRecord, makeTask, take, type BrokerBench } from './broker-bench.js';

const LARGE = 'x'.repeat(2 ** 20);

export function describeResults(bench: BrokerBench): void {
  describe('a result', () => {
    it('is read as it was stored, by any process', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      const text = 'a\u0000b \ud800 \u{1f600} \'"\\ \u65e5\u672c';
      const record = makeRecord('r1', 'SUCCESS', { result: text });
      expect(await one.results.put(record)).toBe(true);
      expect(await two.results.get('r1')).toBe(record.payload);
      expect(await two.results.get('r2')).toBeUndefined();
    });

    it('may be large', async () => {
      const broker = await bench.open();
      const record = makeRecord('r1', 'SUCCESS', { result: LARGE });
      await broker.results.put(record);
      expect(await broker.results.get('r1')).toBe(record.payload);
    });

    it.each(['SUCCESS', 'FAILURE', 'REVOKED'])('in state %s is final', async (final) => {
      const [one, two] = [await bench.open(), await bench.open()];
      const first = makeRecord('r1', final);
      await one.results.put(first);
      for (const late of ['SUCCESS', 'FAILURE', 'REVOKED', 'STARTED', 'RETRY', 'PROGRESS']) {
        const refused = makeRecord('r1', late, { result: 'late' });
        expect(await two.results.put(refused)).toBe(false);
      }
      expect(await two.results.get('r1')).toBe(first.payload);
    });

    it('passes through other states, back and forth, until a final one', async () => {
      const broker = await bench.open();
      for (const state of ['STARTED', 'PROGRESS', 'PROGRESS', 'RETRY', 'STARTED', 'CUSTOM']) {
        const record = makeRecord('r1', state, { result: Math.random() });
        expect(await broker.results.put(record)).toBe(true);
        expect(await broker.results.get('r1')).toBe(record.payload);
      }
      expect(await broker.results.put(makeRecord('r1'))).toBe(true);
      expect(await broker.results.get('r1')).toBe(makeRecord('r1').payload);
    });

    it('has one winner when several final states come at once', async () => {
      const brokers = await Promise.all([bench.open(), bench.open(), bench.open()]);
      const records = brokers.map((_, index) => makeRecord('r1', 'SUCCESS', { result: index }));
      const stored = await Promise.all(
        brokers.map((broker, index) => broker.results.put(records[index]!)),
      );
      expect(stored.filter(Boolean)).toHaveLength(1);
      const winner = records[stored.indexOf(true)]!;
      expect(await brokers[0].results.get('r1')).toBe(winner.payload);
    });

    it('is gone after its time to live, and the id is free again', async () => {
      const broker = await bench.open();
      await broker.results.put(makeRecord('brief', 'SUCCESS', { ttl: 500 }));
      await broker.results.put(makeRecord('lasting', 'SUCCESS', { ttl: 60_000 }));
      await broker.results.put(makeRecord('eternal', 'SUCCESS', { ttl: null }));
      expect(await broker.results.get('brief')).toBeDefined();
      await bench.harness.elapse(600);
      const ids = ['brief', 'lasting', 'eternal'];
      const stored = await broker.results.getMany(ids);
      expect(stored.map((payload) => payload !== undefined)).toEqual([false, true, true]);
      expect(await broker.results.get('brief')).toBeUndefined();
      expect(await broker.results.put(makeRecord('brief', 'FAILURE'))).toBe(true);
      expect(await broker.results.get('brief')).toBe(makeRecord('brief', 'FAILURE').payload);
    });

    it('has the time to live of its last state', async () => {
      const broker = await bench.open();
      await broker.results.put(makeRecord('longer', 'STARTED', { ttl: 300 }));
      await broker.results.put(makeRecord('longer', 'SUCCESS', { ttl: 60_000 }));
      await broker.results.put(makeRecord('forever', 'STARTED', { ttl: 300 }));
      await broker.results.put(makeRecord('forever', 'SUCCESS', { ttl: null }));
      await broker.results.put(makeRecord('shorter', 'STARTED', { ttl: null }));
      await broker.results.put(makeRecord('shorter', 'SUCCESS', { ttl: 300 }));
      await bench.harness.elapse(450);
      const stored = await broker.results.getMany(['longer', 'forever', 'shorter']);
      expect(stored.map((payload) => payload !== undefined)).toEqual([true, true, false]);
    });

    it('is read with many others, in the order that was asked for', async () => {
      const broker = await bench.open();
      const ids = Array.from({ length: 200 }, (_, index) => `r${index}`);
      await Promise.all(ids.map((id) => broker.results.put(makeRecord(id))));
      const asked = [...ids.toReversed(), 'missing', 'r7', 'r7'];
      expect(await broker.results.getMany(asked)).toEqual(
        asked.map((id) => (id === 'missing' ? undefined : makeRecord(id).payload)),
      );
      expect(await broker.results.getMany([])).toEqual([]);
    });

    it('can be removed, once or twice, and then stored again', async () => {
      const broker = await bench.open();
      await broker.results.put(makeRecord('r1'));
      await broker.results.remove('r1');
      expect(await broker.results.get('r1')).toBeUndefined();
      await broker.results.remove('r1');
      await broker.results.remove('never-there');
      expect(await broker.results.put(makeRecord('r1', 'FAILURE'))).toBe(true);
      expect(await broker.results.get('r1')).toBe(makeRecord('r1', 'FAILURE').payload);
    });
  });

  describe('a group result', () => {
    it('is kept under any key, apart from the results', async () => {
      const [one, two] = [await bench.open(), await bench.open()];
      for (const key of ['g1', 'with:colon', '42', '\u65e5 \u{1f600} \'"', 'x'.repeat(200)]) {
        const payload = JSON.stringify({ result: [key], text: 'a\u0000b' });
        await one.results.putGroup(key, payload, 60_000);
        expect(await two.results.getGroup(key)).toBe(payload);
        expect(await two.results.get(key)).toBeUndefined();
      }
      await one.results.put(makeRecord('g1'));
      await one.results.removeGroup('g1');
      expect(await two.results.getGroup('g1')).toBeUndefined();
      expect(await two.results.get('g1')).toBe(makeRecord('g1').payload);
      await one.results.removeGroup('never-there');
      expect(await one.results.getGroup('never-there')).toBeUndefined();
    });

    it('may be large, and is gone after its time to live', async () => {
      const broker = await bench.open();
      await broker.results.putGroup('brief', LARGE, 500);
      await broker.results.putGroup('eternal', '[]', null);
      expect(await broker.results.getGroup('brief')).toBe(LARGE);
      await bench.harness.elapse(600);
      expect(await broker.results.getGroup('brief')).toBeUndefined();
      expect(await broker.results.getGroup('eternal')).toBe('[]');
    });
  });

  describe('who watches an id', () => {
    type Heard = [id: string, payload: string | undefined];

    const listen = (broker: Broker): Heard[] => {
      const heard: Heard[] = [];
      broker.onResult((id, payload) => heard.push([id, payload]));
      return heard;
    };

    /** Waits until the watcher has heard everything that was stored before. */
    const settle = async (watcher: Broker, other: Broker, heard: Heard[]): Promise<void> => {
      const fence = makeTask().id;
      await watcher.watch(fence);
      await other.announce(fence, '"fence"');
      await bench.eventually(() => heard.find(([id]) => id === fence));
      await watcher.unwatch(fence);
      heard.splice(
        heard.findIndex(([id]) => id === fence),
        1,
      );
    };

    it('hears every state that any process stores, in order', async () => {
      const [watcher, other] = [await bench.open(), await bench.open()];
      const heard = listen(watcher);
      await watcher.watch('r1');
      const records = ['STARTED', 'PROGRESS', 'SUCCESS'].map((state) => makeRecord('r1', state));
      await other.results.put(records[0]!);
      await watcher.results.put(records[1]!);
      await bench.eventually(() => heard[1]);
      await other.results.put(records[2]!);
      await bench.eventually(() => heard[2]);
      expect(heard).toEqual(records.map(({ payload }) => ['r1', payload]));
    });

    it('hears the record of a finished task, and can read it then', async () => {
      const [watcher, worker] = [await bench.open(), await bench.open()];
      const { id } = await bench.publish(watcher);
      const record = makeRecord(id, 'SUCCESS', { result: '\u65e5 "quoted" \u0000' });
      const read = new Promise<string | undefined>((resolve, reject) => {
        watcher.onResult((heardId) => {
          watcher.results.get(heardId).then(resolve, reject);
        });
      });
      await watcher.watch(id);
      await worker.finish((await take(worker)).lease, { record }, false);
      expect(await read).toBe(record.payload);
    });

    it('finds every result: by reading after watch, or by hearing', async () => {
      const [watcher, worker] = [await bench.open(), await bench.open()];
      const heard = listen(watcher);
      for (let round = 0; round < 20; round++) {
        const { id } = await bench.publish(watcher);
        const { lease } = await take(worker);
        const record = makeRecord(id);
        const finish = () => worker.finish(lease, { record }, false);
        const watch = async () => {
          await watcher.watch(id);
          return watcher.results.get(id);
        };
        // Now the one begins, now the other.
        const early = round % 2 ? finish() : undefined;
        const watching = watch();
        await (early ?? finish());
        const found =
          (await watching) ??
          (await bench.eventually(() => heard.find(([heardId]) => heardId === id)?.[1]));
        expect(found).toBe(record.payload);
        await watcher.unwatch(id);
      }
    });

    it('hears nothing of ids that only others watch, or nobody', async () => {
      const [watcher, other] = [await bench.open(), await bench.open()];
      const [heard, heardByOther] = [listen(watcher), listen(other)];
      await watcher.watch('ours');
      await other.watch('theirs');
      for (const id of ['theirs', 'nobodys', 'ours']) {
        await other.results.put(makeRecord(id));
      }
      await settle(watcher, other, heard);
      await settle(other, watcher, heardByOther);
      expect(heard.map(([id]) => id)).toEqual(['ours']);
      expect(heardByOther.map(([id]) => id)).toEqual(['theirs']);
    });

    it('hears it in every process that watches', async () => {
      const watchers = await Promise.all([bench.open(), bench.open(), bench.open()]);
      const heard = watchers.map(listen);
      await Promise.all(watchers.map((watcher) => watcher.watch('r1')));
      await watchers[0].results.put(makeRecord('r1'));
      for (const ears of heard) {
        expect(await bench.eventually(() => ears[0])).toEqual(['r1', makeRecord('r1').payload]);
      }
    });

    it('hears nothing of a record that was refused', async () => {
      const [watcher, other] = [await bench.open(), await bench.open()];
      const heard = listen(watcher);
      await other.results.put(makeRecord('r1'));
      await watcher.watch('r1');
      await other.results.put(makeRecord('r1', 'FAILURE'));
      await settle(watcher, other, heard);
      expect(heard).toEqual([]);
    });

    it('hears nothing after unwatch, until it watches again', async () => {
      const [watcher, other] = [await bench.open(), await bench.open()];
      const heard = listen(watcher);
      await watcher.watch('r1');
      await watcher.unwatch('r1');
      await watcher.unwatch('never-watched');
      await other.results.put(makeRecord('r1', 'STARTED'));
      await settle(watcher, other, heard);
      expect(heard).toEqual([]);
      await watcher.watch('r1');
      await other.results.put(makeRecord('r1'));
      await bench.eventually(() => heard[0]);
      expect(heard).toEqual([['r1', makeRecord('r1').payload]]);
    });

    it('hears announcements, which are not stored', async () => {
      const [watcher, worker] = [await bench.open(), await bench.open()];
      const heard = listen(watcher);
      const { id } = await bench.publish(watcher);
      await watcher.watch(id);
      await worker.announce(id, '{"status":"STARTED"}');
      const { lease } = await take(worker);
      await worker.finish(lease, { announce: '{"status":"SUCCESS"}' }, false);
      await bench.eventually(() => heard[1]);
      expect(heard).toEqual([
        [id, '{"status":"STARTED"}'],
        [id, '{"status":"SUCCESS"}'],
      ]);
      expect(await watcher.results.get(id)).toBeUndefined();
    });

    it('hears of a large result without its text', async () => {
      const [watcher, worker] = [await bench.open(), await bench.open()];
      const heard = listen(watcher);
      const { id } = await bench.publish(watcher);
      const record = makeRecord(id, 'SUCCESS', { result: LARGE });
      for (const watched of [id, 'put', 'announced']) {
        await watcher.watch(watched);
      }
      await worker.finish((await take(worker)).lease, { record }, false);
      await worker.results.put({ ...record, id: 'put' });
      await worker.announce('announced', record.payload);
      await bench.eventually(() => heard[2]);
      expect(heard).toEqual([
        [id, undefined],
        ['put', undefined],
        ['announced', undefined],
      ]);
      expect(await watcher.results.get(id)).toBe(record.payload);
    });

    it.each([100, 2_600, 7_000, 7_900, 8_100])(
      'hears of a result of any size: %i characters of three bytes',
      async (length) => {
        const [watcher, other] = [await bench.open(), await bench.open()];
        const heard = listen(watcher);
        await watcher.watch('r1');
        const record = makeRecord('r1', 'SUCCESS', { result: '\u65e5'.repeat(length) });
        expect(await other.results.put(record)).toBe(true);
        const [, payload] = await bench.eventually(() => heard[0]);
        expect([undefined, record.payload]).toContain(payload);
        expect(await watcher.results.get('r1')).toBe(record.payload);
      },
    );

    it('is told by the last listener that was set', async () => {
      const [watcher, other] = [await bench.open(), await bench.open()];
      const before = listen(watcher);
      await watcher.watch('r1');
      const after = listen(watcher);
      await other.results.put(makeRecord('r1'));
      await bench.eventually(() => after[0]);
      expect(before).toEqual([]);
    });

    it('can watch 500 ids', async () => {
      const [watcher, other] = [await bench.open(), await bench.open()];
      const heard = listen(watcher);
      const ids = Array.from({ length: 500 }, (_, index) => `r${index}`);
      await Promise.all(ids.map((id) => watcher.watch(id)));
      await Promise.all(ids.map((id) => other.results.put(makeRecord(id))));
      await bench.eventually(() => heard[499]);
      expect(new Set(heard.map(([id]) => id))).toEqual(new Set(ids));
    }, 30_000);
  });
}
