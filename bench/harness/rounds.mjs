import { median, summarize } from './statistics.mjs';

/**
 * @typedef {import('../measures/measure.mjs').Measure} Measure
 * @typedef {import('../measures/measure.mjs').Row} Row
 *
 * @typedef {object} RowFigures
 * @property {string} measure
 * @property {string} label
 * @property {string} unit
 * @property {import('./statistics.mjs').Summary} raw
 * @property {import('./statistics.mjs').Summary} ours
 * @property {import('./statistics.mjs').Summary} ratio - Us divided by raw: the median is the
 *   ratio of the medians; the samples are the ratios of the rounds.
 * @property {import('../measures/measure.mjs').Target} [target]
 * @property {boolean} [met]
 */

/**
 * Takes all samples. In every other round the sides come in the opposite order, so that neither
 * always has the warmer machine.
 *
 * @param {readonly Measure[]} measures
 * @param {import('./brokers.mjs').BenchBroker} broker
 * @param {import('./sizes.mjs').Sizes} sizes
 * @param {{ report: (progress: string) => void, signal: AbortSignal }} watch - `report` is called
 *   before each sample; `signal` ends the run after the sample that is being taken.
 * @returns {Promise<RowFigures[]>}
 */
export async function takeRounds(measures, broker, sizes, { report, signal }) {
  const samples = new Samples();
  for (let round = 1; round <= sizes.rounds; round += 1) {
    for (const measure of measures) {
      const { contestants } = measure;
      const order = round % 2 === 1 ? contestants : contestants.toReversed();
      for (const contestant of order) {
        signal.throwIfAborted();
        report(
          `${broker.kind}, round ${round} of ${sizes.rounds}: ${measure.id}, ${contestant.id}`,
        );
        const scope = broker.scope();
        try {
          const values = await measure.sample(contestant, scope, sizes);
          samples.add(measure.id, contestant.id, values);
        } catch (error) {
          // What went wrong first is what matters, not that the server is gone as well.
          await broker.clean(scope).catch(() => undefined);
          throw error;
        }
        await broker.clean(scope);
      }
    }
  }
  return measures.flatMap((measure) =>
    measure.rows.map((row) => figuresOf(measure, row, samples, broker.kind === 'redis')),
  );
}

class Samples {
  /** @type {Map<string, number[]>} */
  #values = new Map();

  /**
   * @param {string} measure
   * @param {string} contestant
   * @param {Record<string, number>} values
   */
  add(measure, contestant, values) {
    for (const [metric, value] of Object.entries(values)) {
      const key = `${measure} ${contestant} ${metric}`;
      this.#values.set(key, [...(this.#values.get(key) ?? []), value]);
    }
  }

  /** @param {string} measure @param {string} contestant @param {string} metric */
  get(measure, contestant, metric) {
    const values = this.#values.get(`${measure} ${contestant} ${metric}`);
    if (values === undefined) {
      throw new Error(`The measure '${measure}' has no '${metric}' of '${contestant}'.`);
    }
    return values;
  }
}

/**
 * @param {Measure} measure
 * @param {Row} row
 * @param {Samples} samples
 * @param {boolean} judged - Whether the targets hold for this broker.
 * @returns {RowFigures}
 */
function figuresOf({ id }, { label, unit, metric, raw, ours, target }, samples, judged) {
  const rawValues = samples.get(id, raw, metric);
  const ourValues = samples.get(id, ours, metric);
  const ratio = median(ourValues) / median(rawValues);
  const ratios = ourValues.map((value, round) => value / /** @type {number} */ (rawValues[round]));
  return {
    measure: id,
    label,
    unit,
    raw: summarize(rawValues),
    ours: summarize(ourValues),
    ratio: { ...summarize(ratios), median: ratio },
    ...(target && judged && { target, met: isMet(target, ratio, median(ourValues)) }),
  };
}

/**
 * @param {import('../measures/measure.mjs').Target} target
 * @param {number} ratio
 * @param {number} ours
 */
function isMet(target, ratio, ours) {
  return target.metric === 'ratio' ? ratio >= target.atLeast : ours <= target.atMost;
}
