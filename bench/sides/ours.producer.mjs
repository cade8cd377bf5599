import { serve } from '../harness/child.host.mjs';
import { BenchTasks, openApp } from './ours.app.mjs';
import { hundredInFlight, inBulks, oneByOne, rateOf, timesOf } from './pace.mjs';
import { payload } from './payload.mjs';

/** The process that hands over tasks: an application with our client. */

/** @type {Awaited<ReturnType<typeof openApp>>} */
let opened;
/** @type {string | undefined} */
let lastId;

const add = (/** @type {number} */ number) =>
  opened.client.of(BenchTasks).run.applyAsync([payload(number)]);

/** The calls of one turn share a round trip. @param {'run' | 'answer'} task */
const addBulk = (task) => async (/** @type {number} */ from, /** @type {number} */ size) => {
  const results = await Promise.all(
    Array.from({ length: size }, (_, index) =>
      opened.client.of(BenchTasks)[task].applyAsync([payload(from + index)]),
    ),
  );
  lastId = results.at(-1)?.id;
};

serve({
  /** @param {{ scope: import('../harness/brokers.mjs').Scope }} options */
  open: async ({ scope }) => {
    opened = await openApp(scope, false);
    await opened.client.ping();
  },

  /** @param {{ warmup: number, count: number }} sizes */
  oneByOne: ({ warmup, count }) => rateOf(warmup, count, (n) => oneByOne(n, add)),

  /** @param {{ warmup: number, count: number }} sizes */
  hundredInFlight: ({ warmup, count }) => rateOf(warmup, count, (n) => hundredInFlight(n, add)),

  /** @param {{ warmup: number, count: number }} sizes */
  many: ({ warmup, count }) => rateOf(warmup, count, (n) => inBulks(n, addBulk('run'))),

  /** @param {{ count: number, results: string }} sizes */
  fill: ({ count, results }) => inBulks(count, addBulk(results === 'none' ? 'run' : 'answer')),

  /** The result of the task that was handed over last. */
  lastResult: () => opened.client.result(lastId ?? '').get({ timeout: 10 }),

  /** @param {{ warmup: number, samples: number, pause: number }} sizes */
  latency: (sizes) =>
    timesOf(sizes, async (number) => {
      const result = await opened.client.of(BenchTasks).answer.delay(payload(number));
      return result.get({ timeout: 10 });
    }),

  close: () => opened.app.close(),
});
