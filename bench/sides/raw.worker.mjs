import { serve } from '../harness/child.host.mjs';
import { CallMeter } from './call.meter.mjs';
import { openWorker } from './raw.bullmq.mjs';
import { openResults } from './raw.results.mjs';

/** The process that runs tasks: BullMQ alone. */

const meter = new CallMeter();
/** @type {Awaited<ReturnType<typeof openWorker>>} */
let worker;
/** @type {import('./raw.results.mjs').RawResults | undefined} */
let store;

/**
 * The task, by where its result goes: nowhere; into the job, which BullMQ keeps; into a store of
 * the user's own.
 * @type {Record<string, (job: import('bullmq').Job) => Promise<unknown>>}
 */
const PROCESSORS = {
  none: async () => {
    meter.mark();
  },
  kept: async (job) => {
    meter.mark();
    return job.data.number;
  },
  stored: async (job) => {
    meter.mark();
    await store?.put(String(job.id), job.data.number);
  },
};

serve({
  /**
   * @param {{ scope: import('../harness/brokers.mjs').Scope, concurrency: number,
   *   results: string }} options
   */
  open: async ({ scope, concurrency, results }) => {
    const processor = PROCESSORS[results];
    if (processor === undefined) {
      throw new Error(`There is no way '${results}' to keep results.`);
    }
    worker = await openWorker(scope, concurrency, processor);
    store = results === 'stored' ? await openResults(scope) : undefined;
  },

  start: () => {
    void worker.run();
  },

  /** Runs what waits. @param {{ warmup: number, count: number }} sizes */
  run: ({ warmup, count }) => {
    const rate = meter.rate(warmup, count);
    void worker.run();
    return rate;
  },

  /** Resident memory, bytes. */
  memory: () => process.memoryUsage.rss(),

  /** Lets tasks finish first. */
  close: async () => {
    await worker.close();
    await store?.close();
  },
});
