import { serve } from '../harness/child.host.mjs';
import { meter, openApp } from './ours.app.mjs';

/** The process that runs tasks: an application with our worker. */

/** @type {Awaited<ReturnType<typeof openApp>>} */
let opened;
/** @type {number} */
let concurrency;

const start = () => opened.worker.start({ concurrency, logLevel: 'warning' });

serve({
  /** @param {{ scope: import('../harness/brokers.mjs').Scope, concurrency: number }} options */
  open: async (options) => {
    ({ concurrency } = options);
    opened = await openApp(options.scope, true);
  },

  start,

  /** Runs what waits. @param {{ warmup: number, count: number }} sizes */
  run: async ({ warmup, count }) => {
    const rate = meter.rate(warmup, count);
    await start();
    return rate;
  },

  /** Resident memory, bytes. */
  memory: () => process.memoryUsage.rss(),

  /** Lets tasks finish first. */
  close: () => opened.app.close(),
});
