import { randomUUID } from 'node:crypto';

import { afterAll, afterEach, beforeEach, expect } from '@jest/globals';

import type {
  Broker,
  Delivery,
  OutgoingTask,
  ResultRecord,
  WorkSign,
} from '../../../libs/task-queue/src/brokers/broker.port.js';
import type { BrokerHarness, OpenOptions } from './broker-harness.interface.js';

/** Longer than any test waits: a wait that needs it fails the test. */
export const LONG = 600_000;

/** What the tests of the suite work with: brokers that are closed after each test, and helpers. */
export class BrokerBench {
  readonly #opened: Broker[] = [];

  constructor(readonly harness: BrokerHarness) {}

  /** Empties the store before and closes the brokers after every test of the current block. */
  install(): void {
    beforeEach(() => this.harness.reset());
    afterEach(async () => {
      await Promise.all(this.#opened.splice(0).map((broker) => broker.close()));
    });
    afterAll(() => this.harness.close());
  }

  async open(options?: OpenOptions): Promise<Broker> {
    const broker = await this.harness.open(options);
    this.#opened.push(broker);
    return broker;
  }

  /** Publishes a task with a fresh id, or with what is given; returns it. */
  async publish(broker: Broker, fields: Partial<OutgoingTask> = {}): Promise<OutgoingTask> {
    const task = makeTask(fields);
    await broker.publish([task]);
    return task;
  }

  /** Lets time pass until `probe` answers; fails after two seconds. */
  async eventually<T>(probe: () => T | undefined | Promise<T | undefined>): Promise<T> {
    for (let tries = 0; tries < 100; tries++) {
      const answer = await probe();
      if (answer !== undefined) {
        return answer;
      }
      await this.harness.elapse(20);
    }
    throw new Error('What was waited for did not come within two seconds.');
  }

  /** A running wait on empty queues. A few signs that turn out to be nothing are allowed. */
  async restingWait(worker: Broker, queues: readonly string[]): Promise<Observed<WorkSign[]>> {
    for (let tries = 0; tries < 5; tries++) {
      for (const queue of queues) {
        await expectNothing(worker, queue);
      }
      const wait = observe(worker.waitForWork(queues, LONG));
      await this.harness.elapse(100);
      if (!wait.settled) {
        return wait;
      }
    }
    throw new Error('The worker was woken five times in a row, and there was nothing to do.');
  }

  /** Listens for what `broker` hears of an id that it watches from now on. */
  async listenFor(broker: Broker, id: string): Promise<Ears> {
    const fence = randomUUID();
    const heard: (string | undefined)[] = [];
    let isOver = false;
    broker.onResult((heardId, payload) => {
      isOver ||= heardId === fence;
      if (heardId === id) {
        heard.push(payload);
      }
    });
    await broker.watch(id);
    await broker.watch(fence);
    return {
      all: async (teller) => {
        await teller.announce(fence, '{}');
        await this.eventually(() => isOver || undefined);
        return heard;
      },
    };
  }
}

/** What a process heard. */
export interface Ears {
  /** The payloads of all that `teller` had stored or announced for the id until now. */
  all(teller: Broker): Promise<(string | undefined)[]>;
}

/** A task for queue `work`, with a fresh id, unless the fields say otherwise. */
export function makeTask(fields: Partial<OutgoingTask> = {}): OutgoingTask {
  return { id: randomUUID(), name: 'tests.add', queue: 'work', data: makeData(), ...fields };
}

export function makeTasks(count: number, fields: Partial<OutgoingTask> = {}): OutgoingTask[] {
  return Array.from({ length: count }, () => makeTask(fields));
}

/** The wire form of a message with these arguments and headers. */
export function makeData(args: unknown[] = [2, 3], headers: Record<string, unknown> = {}): string {
  return JSON.stringify({ v: 1, a: JSON.stringify([args]), h: headers });
}

/** A record as the worker makes it. */
export function makeRecord(
  id: string,
  status = 'SUCCESS',
  fields: { result?: unknown; ttl?: number | null } = {},
): ResultRecord {
  const { result = null, ttl = 60_000 } = fields;
  return { id, status, payload: JSON.stringify({ status, result, task_id: id }), ttl };
}

/** Fetches a task that must be there. */
export async function take(broker: Broker, queue = 'work'): Promise<Delivery> {
  const { delivery } = await broker.fetch(queue);
  if (delivery === undefined) {
    throw new Error(`There was nothing to fetch from '${queue}'.`);
  }
  return delivery;
}

/** Fetches and finishes one task after the other; returns their ids in that order. */
export async function drain(broker: Broker, queue = 'work'): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const { delivery } = await broker.fetch(queue);
    if (delivery === undefined) {
      return ids;
    }
    ids.push(delivery.lease.id);
    await broker.finish(delivery.lease, {}, false);
  }
}

/** Asserts that a queue has nothing to fetch now. */
export async function expectNothing(broker: Broker, queue = 'work'): Promise<void> {
  expect((await broker.fetch(queue)).delivery).toBeUndefined();
}

export interface Observed<T> {
  settled: boolean;
  readonly promise: Promise<T>;
}

/** Whether a promise has settled, without waiting for it. */
export function observe<T>(promise: Promise<T>): Observed<T> {
  const observed = { settled: false, promise };
  const note = (): void => {
    observed.settled = true;
  };
  void promise.then(note, note);
  return observed;
}

export function idsOf(tasks: readonly { id: string }[]): string[] {
  return tasks.map((task) => task.id);
}
