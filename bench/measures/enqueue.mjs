import { BOTH_SIDES, withChild } from './measure.mjs';

/**
 * Handing over tasks: how many per second one process stores, awaited.
 *
 * @param {string} label
 * @param {'oneByOne' | 'hundredInFlight' | 'many'} way
 * @param {'enqueueOneByOne' | 'enqueueInFlight' | 'enqueueMany'} size
 * @param {import('./measure.mjs').Target} [target]
 * @returns {import('./measure.mjs').Measure}
 */
function enqueueMeasure(label, way, size, target) {
  return {
    id: `enqueue-${way}`,
    contestants: BOTH_SIDES,
    rows: [
      {
        label,
        unit: 'tasks/s',
        metric: 'rate',
        raw: 'raw',
        ours: 'ours',
        ...(target && { target }),
      },
    ],
    sample: (contestant, scope, sizes) =>
      withChild('producer', contestant, { scope }, async (producer) => ({
        rate: await producer.call(way, { warmup: sizes.enqueueWarmup, count: sizes[size] }),
      })),
  };
}

export const ENQUEUE_MEASURES = [
  enqueueMeasure('enqueue, one by one', 'oneByOne', 'enqueueOneByOne'),
  enqueueMeasure('enqueue, 100 in flight', 'hundredInFlight', 'enqueueInFlight', {
    metric: 'ratio',
    atLeast: 0.9,
  }),
  enqueueMeasure('enqueue, many: addBulk(1000) / 1000 calls in a turn', 'many', 'enqueueMany'),
];
