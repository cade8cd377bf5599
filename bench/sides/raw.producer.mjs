import { serve } from '../harness/child.host.mjs';
import { hundredInFlight, inBulks, oneByOne, rateOf, timesOf } from './pace.mjs';
import { payload } from './payload.mjs';
import { openQueue, openQueueEvents } from './raw.bullmq.mjs';
import { openResults } from './raw.results.mjs';

/** The process that hands over tasks: BullMQ alone. */

const TASK = 'task';

/** @type {import('../harness/brokers.mjs').Scope} */
let scope;
/** @type {import('./raw.bullmq.mjs').RawQueue} */
let queue;
/** @type {import('bullmq').QueueEvents | undefined} */
let events;
/** @type {string | undefined} */
let lastId;

const add = (/** @type {number} */ number) => queue.add(TASK, payload(number));

const addBulk = async (/** @type {number} */ from, /** @type {number} */ size) => {
  const jobs = await queue.addBulk(
    Array.from({ length: size }, (_, index) => ({ name: TASK, data: payload(from + index) })),
  );
  lastId = jobs.at(-1)?.id;
};

/** What becomes of a job that is done: what each way to keep results asks for. */
const REMOVE_ON_COMPLETE = { none: true, kept: false, stored: true, latest: { count: 1000 } };

serve({
  /** @param {{ scope: typeof scope, results: keyof typeof REMOVE_ON_COMPLETE }} options */
  open: async (options) => {
    ({ scope } = options);
    queue = await openQueue(scope, { removeOnComplete: REMOVE_ON_COMPLETE[options.results] });
  },

  /** @param {{ warmup: number, count: number }} sizes */
  oneByOne: ({ warmup, count }) => rateOf(warmup, count, (n) => oneByOne(n, add)),

  /** @param {{ warmup: number, count: number }} sizes */
  hundredInFlight: ({ warmup, count }) => rateOf(warmup, count, (n) => hundredInFlight(n, add)),

  /** @param {{ warmup: number, count: number }} sizes */
  many: ({ warmup, count }) => rateOf(warmup, count, (n) => inBulks(n, addBulk)),

  /** @param {{ count: number }} sizes */
  fill: ({ count }) => inBulks(count, addBulk),

  /** The result of the task that was handed over last. @param {{ results: string }} options */
  lastResult: async ({ results }) => {
    const id = lastId ?? '';
    if (results === 'kept') {
      return (await queue.getJob(id))?.returnvalue;
    }
    const store = await openResults(scope);
    try {
      return await store.get(id);
    } finally {
      await store.close();
    }
  },

  /** @param {{ warmup: number, samples: number, pause: number }} sizes */
  latency: async (sizes) => {
    const opened = await openQueueEvents(scope);
    events = opened;
    return timesOf(sizes, async (number) => (await add(number)).waitUntilFinished(opened, 10_000));
  },

  close: async () => {
    await events?.close();
    await queue.close();
  },
});
