/**
 * How much is measured.
 *
 * @typedef {object} Sizes
 * @property {number} rounds
 * @property {number} enqueueOneByOne - Tasks of one sample.
 * @property {number} enqueueInFlight
 * @property {number} enqueueMany
 * @property {number} enqueueWarmup - Tasks before the clock starts.
 * @property {number} runOne - Tasks of one sample at concurrency 1.
 * @property {number} runMany - The same at higher concurrency.
 * @property {number} runWarmup
 * @property {number} latencySamples
 * @property {number} latencyWarmup
 * @property {number} latencyPause - Between two calls, milliseconds: the worker is at rest again.
 * @property {number} idleTime - Before the memory is read, milliseconds.
 */

/** @type {Record<'redis' | 'postgres', Sizes>} */
const FULL = {
  redis: {
    rounds: 5,
    enqueueOneByOne: 10_000,
    enqueueInFlight: 40_000,
    enqueueMany: 50_000,
    enqueueWarmup: 3_000,
    runOne: 10_000,
    runMany: 30_000,
    runWarmup: 3_000,
    latencySamples: 500,
    latencyWarmup: 200,
    latencyPause: 5,
    idleTime: 3_000,
  },
  postgres: {
    rounds: 5,
    enqueueOneByOne: 1_000,
    enqueueInFlight: 5_000,
    enqueueMany: 20_000,
    enqueueWarmup: 1_000,
    runOne: 2_000,
    runMany: 5_000,
    runWarmup: 1_000,
    latencySamples: 500,
    latencyWarmup: 100,
    latencyPause: 10,
    idleTime: 3_000,
  },
};

/** @type {Sizes} */
const QUICK = {
  rounds: 2,
  enqueueOneByOne: 500,
  enqueueInFlight: 2_000,
  enqueueMany: 2_000,
  enqueueWarmup: 1_000,
  runOne: 500,
  runMany: 2_000,
  runWarmup: 500,
  latencySamples: 50,
  latencyWarmup: 20,
  latencyPause: 5,
  idleTime: 500,
};

/**
 * @param {'redis' | 'postgres'} broker
 * @param {boolean} quick
 */
export function sizesFor(broker, quick) {
  return quick ? QUICK : FULL[broker];
}
