import { BULK } from '../sides/payload.mjs';
import { openQueue } from '../sides/raw.bullmq.mjs';
import { BOTH_SIDES, withChild } from './measure.mjs';

/**
 * @typedef {import('./measure.mjs').Contestant} Contestant
 * @typedef {import('../harness/brokers.mjs').Scope} Scope
 */

/** @type {readonly Contestant[]} */
const WITH_RESULTS = [
  { id: 'raw-kept', side: 'raw', results: 'kept' },
  { id: 'raw-stored', side: 'raw', results: 'stored' },
  { id: 'ours', side: 'ours', results: 'stored' },
];

/**
 * Running tasks that do nothing, from a queue that was filled before.
 *
 * @param {Contestant} contestant
 * @param {Scope} scope
 * @param {{ warmup: number, count: number, concurrency: number }} sizes
 */
async function sampleRun(contestant, scope, { warmup, count, concurrency }) {
  const { results } = contestant;
  // Filled in whole bulks, so that what is left over is known.
  const total = Math.ceil((warmup + count) / BULK) * BULK;
  return withChild('producer', contestant, { scope }, async (producer) => {
    await producer.call('fill', { count: total, results });
    const rate = await withChild('worker', contestant, { scope, concurrency }, (worker) =>
      worker.call('run', { warmup, count: total - warmup }),
    );
    await checkAllRan(contestant, scope, total);
    if (results !== 'none') {
      await checkLastResult(producer, contestant, total);
    }
    return { rate };
  });
}

/** Our queues are BullMQ's, so BullMQ can look into both. */
async function checkAllRan(
  /** @type {Contestant} */ { id, results },
  /** @type {Scope} */ scope,
  /** @type {number} */ total,
) {
  const queue = await openQueue(scope);
  try {
    const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'failed', 'completed');
    const { completed, ...left } = counts;
    if (Object.values(left).some(Boolean) || completed !== (results === 'kept' ? total : 0)) {
      throw new Error(`Not every task of '${id}' ran to its end: ${JSON.stringify(counts)}.`);
    }
  } finally {
    await queue.close();
  }
}

async function checkLastResult(
  /** @type {import('../harness/child.mjs').Child} */ producer,
  /** @type {Contestant} */ { id, results },
  /** @type {number} */ total,
) {
  const result = await producer.call('lastResult', { results });
  if (result !== total - 1) {
    throw new Error(`The last result of '${id}' is ${String(result)}, not ${total - 1}.`);
  }
}

/**
 * @param {number} concurrency
 * @param {'runOne' | 'runMany'} size
 * @returns {import('./measure.mjs').Measure[]}
 */
function runMeasures(concurrency, size) {
  const atFifty = concurrency === 50;
  /** @type {import('./measure.mjs').Measure['sample']} */
  const sample = (contestant, scope, sizes) =>
    sampleRun(contestant, scope, { warmup: sizes.runWarmup, count: sizes[size], concurrency });
  return [
    {
      id: `run-c${concurrency}`,
      contestants: BOTH_SIDES,
      rows: [
        {
          label: `run c=${concurrency}, no results`,
          unit: 'tasks/s',
          metric: 'rate',
          raw: 'raw',
          ours: 'ours',
          ...(atFifty && { target: { metric: 'ratio', atLeast: 0.9 } }),
        },
      ],
      sample,
    },
    {
      id: `run-c${concurrency}-results`,
      contestants: WITH_RESULTS,
      rows: [
        {
          label: `run c=${concurrency}, results; raw: kept in the job`,
          unit: 'tasks/s',
          metric: 'rate',
          raw: 'raw-kept',
          ours: 'ours',
          // Against the faster of the two.
          ...(atFifty && { target: { metric: 'ratio', atLeast: 0.6 } }),
        },
        {
          label: `run c=${concurrency}, results; raw: stored and announced`,
          unit: 'tasks/s',
          metric: 'rate',
          raw: 'raw-stored',
          ours: 'ours',
        },
      ],
      sample,
    },
  ];
}

export const RUN_MEASURES = [
  ...runMeasures(1, 'runOne'),
  ...runMeasures(10, 'runMany'),
  ...runMeasures(50, 'runMany'),
];
