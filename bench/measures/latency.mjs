import { percentile } from '../harness/statistics.mjs';
import { withChild } from './measure.mjs';

/** Of the worker; at rest it makes no difference. */
const CONCURRENCY = 10;

/**
 * From the call to its result in the caller's hands, with nothing else to do: `delay().get()`
 * against `add()` and `waitUntilFinished()`. Caller and worker are two processes.
 *
 * @type {import('./measure.mjs').Measure}
 */
export const LATENCY_MEASURE = {
  id: 'latency',
  contestants: [
    // Kept: waitUntilFinished() fails for a job that is gone already when it looks.
    { id: 'raw', side: 'raw', results: 'kept' },
    { id: 'ours', side: 'ours', results: 'stored' },
  ],
  rows: [
    {
      label: 'call to result at rest, p50',
      unit: 'ms',
      metric: 'p50',
      raw: 'raw',
      ours: 'ours',
      target: { metric: 'value', atMost: 1.5 },
    },
    { label: 'call to result at rest, p99', unit: 'ms', metric: 'p99', raw: 'raw', ours: 'ours' },
  ],
  sample: (contestant, scope, { latencyWarmup, latencySamples, latencyPause }) =>
    withChild('producer', contestant, { scope }, (producer) =>
      withChild('worker', contestant, { scope, concurrency: CONCURRENCY }, async (worker) => {
        await worker.call('start');
        /** @type {number[]} */
        const times = await producer.call('latency', {
          warmup: latencyWarmup,
          samples: latencySamples,
          pause: latencyPause,
        });
        return { p50: percentile(times, 0.5), p99: percentile(times, 0.99) };
      }),
    ),
};
