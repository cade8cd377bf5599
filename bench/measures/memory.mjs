import { setTimeout as pause } from 'node:timers/promises';

import { BOTH_SIDES, withChild } from './measure.mjs';

const CONCURRENCY = 10;

/**
 * Resident memory of a worker process that is connected and has run nothing yet.
 *
 * @type {import('./measure.mjs').Measure}
 */
export const MEMORY_MEASURE = {
  id: 'memory',
  contestants: BOTH_SIDES,
  rows: [
    {
      label: 'memory of an idle worker process (RSS)',
      unit: 'MiB',
      metric: 'rss',
      raw: 'raw',
      ours: 'ours',
    },
  ],
  sample: (contestant, scope, { idleTime }) =>
    withChild('worker', contestant, { scope, concurrency: CONCURRENCY }, async (worker) => {
      await worker.call('start');
      await pause(idleTime);
      return { rss: (await worker.call('memory')) / 2 ** 20 };
    }),
};
