import { describe, expect, it } from '@jest/globals';

import type { Broker } from '../../../libs/task-queue/src/brokers/broker.port.js';
import { OperationalError } from '../../../libs/task-queue/src/errors/task-queue.errors.js';
import { makeRecord, makeTask } from './broker-bench.js';

type Call = [name: string, call: (broker: Broker) => Promise<unknown>];

/** The harness's `connectionTimeout`, and what a busy machine may add. */
const PRODUCER_LIMIT = 500 + 1_500;
/** Workers have time, but not for ever. */
const CONSUMER_LIMIT = 10_000;

const producerCalls: Call[] = [
  ['publish', (broker) => broker.publish([makeTask()])],
  ['publish of many', (broker) => broker.publish([makeTask(), makeTask()])],
  ['publish again', (broker) => broker.publish([makeTask()], true)],
  ['watch', (broker) => broker.watch('r1')],
  ['announce', (broker) => broker.announce('r1', '{}')],
  ['revoke', (broker) => broker.revoke('r1', makeRecord('r1', 'REVOKED'), 60_000)],
  ['broadcast', (broker) => broker.broadcast('{}')],
  ['onBroadcast', (broker) => broker.onBroadcast(() => undefined)],
  ['locate', (broker) => broker.locate('r1')],
  ['results.get', (broker) => broker.results.get('r1')],
  ['results.getMany', (broker) => broker.results.getMany(['r1', 'r2'])],
  ['results.put', (broker) => broker.results.put(makeRecord('r1'))],
  ['results.getGroup', (broker) => broker.results.getGroup('g1')],
  ['ping', (broker) => broker.ping()],
];

const consumerCalls: Call[] = [
  ['connect', (broker) => broker.connect()],
  ['fetch', (broker) => broker.fetch('work')],
  [
    'retry',
    (broker) => broker.retry({ id: 'r1', queue: 'work', token: '1' }, makeTask({ id: 'r1' }), {}),
  ],
  ['reclaim', (broker) => broker.reclaim('work')],
  ['expire', (broker) => broker.expire(() => undefined)],
  ['redrive', (broker) => broker.redrive('work', 'r1')],
  ['discard', (broker) => broker.discard('work', 'r1')],
];

/** For drivers with a server: what calls do when it is not there. */
export function describeUnreachable(open: () => Broker): void {
  describe('when the store cannot be reached', () => {
    const refusal = async (call: Call[1]): Promise<{ error: unknown; elapsed: number }> => {
      const broker = open();
      const start = Date.now();
      try {
        const error = await call(broker).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        return { error, elapsed: Date.now() - start };
      } finally {
        await broker.close();
      }
    };

    const expectRefusal = async (call: Call[1], limit: number): Promise<void> => {
      const { error, elapsed } = await refusal(call);
      expect(error).toBeInstanceOf(OperationalError);
      expect(elapsed).toBeLessThan(limit);
      const { message, cause } = error as OperationalError;
      expect(`${message} ${String(cause)}`).not.toContain('hush-hush');
      expect(message).toMatch(/\.$/);
    };

    it.each(producerCalls)('%s says so within the connection timeout', async (_, call) => {
      expect.hasAssertions();
      await expectRefusal(call, PRODUCER_LIMIT);
    });

    it.each(consumerCalls)('%s says so', async (_, call) => {
      expect.hasAssertions();
      await expectRefusal(call, CONSUMER_LIMIT);
    });

    it('a broker that nobody calls connects to nothing, and closes', async () => {
      const broker = open();
      expect(broker.description).toContain('127.0.0.1');
      expect(broker.description).not.toContain('hush-hush');
      await broker.close();
    });
  });
}
