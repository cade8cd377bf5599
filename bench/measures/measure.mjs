import { Child } from '../harness/child.mjs';

/**
 * One thing that is measured, and who takes part.
 *
 * @typedef {object} Contestant
 * @property {string} id
 * @property {'raw' | 'ours'} side
 * @property {string} results - Where results go: `none`, `kept` in the job, `stored` by the user's
 *   own code, `latest` kept, or by `ours` wherever they are not `none`.
 *
 * @typedef {{ metric: 'ratio', atLeast: number } | { metric: 'value', atMost: number }} Target
 *   On the ratio of us to raw, or on our own value.
 *
 * @typedef {object} Row
 * @property {string} label
 * @property {'tasks/s' | 'ms' | 'MiB'} unit - More `tasks/s` is better; less of the others.
 * @property {string} metric - Which value of a sample.
 * @property {string} raw - Id of the contestant.
 * @property {string} ours
 * @property {Target} [target] - On Redis.
 *
 * @typedef {object} Measure
 * @property {string} id
 * @property {readonly Contestant[]} contestants
 * @property {readonly Row[]} rows
 * @property {(contestant: Contestant, scope: import('../harness/brokers.mjs').Scope,
 *   sizes: import('../harness/sizes.mjs').Sizes) => Promise<Record<string, number>>} sample
 *   Takes one sample, in fresh processes and in a place of its own.
 */

/** Without results: as a measure in which they play no part has it. @type {readonly Contestant[]} */
export const BOTH_SIDES = [
  { id: 'raw', side: 'raw', results: 'none' },
  { id: 'ours', side: 'ours', results: 'none' },
];

/**
 * Starts a process of one side, opened, for as long as `work` takes.
 *
 * @template T
 * @param {'producer' | 'worker'} role
 * @param {Contestant} contestant
 * @param {object} options - What `open` takes besides where results go.
 * @param {(child: Child) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withChild(role, { side, results }, options, work) {
  const child = await Child.start(new URL(`../sides/${side}.${role}.mjs`, import.meta.url));
  try {
    await child.call('open', { ...options, results });
    const value = await work(child);
    await child.close();
    return value;
  } finally {
    await child.kill();
  }
}
