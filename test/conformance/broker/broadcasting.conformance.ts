import { describe, expect, it } from '@jest/globals';

import type { Broker } from '../../../libs/task-queue/src/brokers/broker.port.js';
import { take, type BrokerBench } from './broker-bench.js';

export function describeBroadcasting(bench: BrokerBench): void {
  const listen = async (broker: Broker): Promise<string[]> => {
    const heard: string[] = [];
    await broker.onBroadcast((text) => heard.push(text));
    return heard;
  };

  describe('broadcast', () => {
    it('reaches every process that listens, the sender too, each once', async () => {
      const brokers = await Promise.all([bench.open(), bench.open(), bench.open()]);
      const heard = await Promise.all(brokers.map(listen));
      for (const [index, broker] of brokers.entries()) {
        await broker.broadcast(`from ${index}`);
        for (const ears of heard) {
          await bench.eventually(() => ears[index]);
        }
      }
      await bench.harness.elapse(100);
      expect(heard).toEqual(brokers.map(() => ['from 0', 'from 1', 'from 2']));
    });

    it('can be sent by who does not listen, also when nobody does', async () => {
      const [sender, listener] = [await bench.open(), await bench.open()];
      await sender.broadcast('to nobody');
      const heard = await listen(listener);
      await sender.broadcast('to somebody');
      await bench.eventually(() => heard[0]);
      expect(heard).toEqual(['to somebody']);
    });

    it('is not kept for who listens later', async () => {
      const [sender, early, late] = [await bench.open(), await bench.open(), await bench.open()];
      const heardEarly = await listen(early);
      await sender.broadcast('before');
      await bench.eventually(() => heardEarly[0]);
      const heardLate = await listen(late);
      await sender.broadcast('after');
      await bench.eventually(() => heardLate[0]);
      expect(heardLate).toEqual(['after']);
    });

    it('cannot be missed once onBroadcast has resolved', async () => {
      const sender = await bench.open();
      for (let round = 0; round < 5; round++) {
        const heard = await listen(await bench.open());
        await sender.broadcast(`round ${round}`);
        expect(await bench.eventually(() => heard[0])).toBe(`round ${round}`);
      }
    });

    it('keeps the order of each sender, whatever the size', async () => {
      const [one, two, listener] = [await bench.open(), await bench.open(), await bench.open()];
      const heard = await listen(listener);
      const texts = (name: string) =>
        Array.from({ length: 20 }, (_, index) =>
          JSON.stringify([name, index, index % 3 ? '' : 'x'.repeat(20_000)]),
        );
      const send = async (sender: Broker, name: string): Promise<void> => {
        for (const text of texts(name)) {
          await sender.broadcast(text);
        }
      };
      await Promise.all([send(one, 'one'), send(two, 'two')]);
      await bench.eventually(() => heard[39]);
      expect(heard).toHaveLength(40);
      for (const name of ['one', 'two']) {
        expect(heard.filter((text) => text.startsWith(`["${name}"`))).toEqual(texts(name));
      }
    });

    it('carries 100 KB', async () => {
      const [sender, listener] = [await bench.open(), await bench.open()];
      const [heard, own] = [await listen(listener), await listen(sender)];
      const text = JSON.stringify({ large: '\u65e5'.repeat(35_000) });
      await sender.broadcast(text);
      await sender.broadcast('and then');
      for (const ears of [heard, own]) {
        await bench.eventually(() => ears[1]);
        expect(ears[0] === text).toBe(true);
        expect(ears[1]).toBe('and then');
      }
    });

    it.each([
      ['JSON', JSON.stringify({ a: 'a\u0000b \ud800', b: ['\n', "'"] })],
      ['quotes and backslashes', `'"\\"'\\u0000\\\\ $1 %s`],
      ['many alphabets', '\u{1f9d1}\u200d\u{1f680} \u00e9e\u0301 \u65e5\u672c \u2028'],
      ['a few kilobytes of three bytes each', '\u65e5'.repeat(2_660)],
      ['just about eight kilobytes', 'x'.repeat(7_999)],
    ])('carries any text: %s', async (_, text) => {
      const [sender, listener] = [await bench.open(), await bench.open()];
      const heard = await listen(listener);
      await sender.broadcast(text);
      expect(await bench.eventually(() => heard[0])).toBe(text);
    });

    it('does not reach the processes of another group', async () => {
      const [ours, theirs] = [await bench.open(), await bench.open({ group: 'theirs' })];
      const [heard, heardByThem] = [await listen(ours), await listen(theirs)];
      await ours.broadcast('ours');
      await theirs.broadcast('theirs');
      await bench.eventually(() => heard[0]);
      await bench.eventually(() => heardByThem[0]);
      await ours.broadcast('the last');
      await bench.eventually(() => heard[1]);
      expect(heard).toEqual(['ours', 'the last']);
      expect(heardByThem).toEqual(['theirs']);
    });

    it('is told to the last listener that was set, once', async () => {
      const broker = await bench.open();
      const before = await listen(broker);
      const after = await listen(broker);
      await broker.broadcast('first');
      await broker.broadcast('second');
      await bench.eventually(() => after[1]);
      expect(before).toEqual([]);
      expect(after).toEqual(['first', 'second']);
    });

    it('does not mix with results, nor with waiting for work', async () => {
      const [sender, listener] = [await bench.open(), await bench.open()];
      const results: string[] = [];
      listener.onResult((id) => results.push(id));
      await listener.watch('r1');
      const wait = await bench.restingWait(listener, ['work']);
      const heard = await listen(listener);
      await sender.broadcast('{"id":"r1"}');
      await sender.announce('r1', '{}');
      await bench.eventually(() => heard[0]);
      await bench.eventually(() => results[0]);
      expect(wait.settled).toBe(false);
      expect(heard).toEqual(['{"id":"r1"}']);
      expect(results).toEqual(['r1']);
      const { id } = await bench.publish(sender);
      expect(await wait.promise).toContainEqual({ queue: 'work' });
      expect((await take(listener)).lease.id).toBe(id);
    });
  });
}
