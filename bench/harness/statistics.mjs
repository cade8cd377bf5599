/**
 * The value at `share` (0 to 1) of the sorted values, by the nearest rank.
 * @param {readonly number[]} values - At least one.
 * @param {number} share
 */
export function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.ceil(share * sorted.length) - 1;
  return /** @type {number} */ (sorted[Math.max(0, rank)]);
}

/**
 * @param {readonly number[]} values - At least one.
 * @returns {number} Of an even count, the mean of the middle two.
 */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const high = /** @type {number} */ (sorted[sorted.length >> 1]);
  const low = /** @type {number} */ (sorted[(sorted.length - 1) >> 1]);
  return (low + high) / 2;
}

/**
 * @typedef {object} Summary
 * @property {number} median
 * @property {number} min
 * @property {number} max
 * @property {readonly number[]} samples - One per round, in their order.
 */

/**
 * @param {readonly number[]} samples - At least one.
 * @returns {Summary}
 */
export function summarize(samples) {
  return {
    median: median(samples),
    min: Math.min(...samples),
    max: Math.max(...samples),
    samples,
  };
}
