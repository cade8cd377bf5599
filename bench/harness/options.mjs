import { parseArgs } from 'node:util';

/**
 * @typedef {object} BenchOptions
 * @property {('redis' | 'postgres')[]} brokers
 * @property {boolean} quick - Few tasks, two rounds: to see that everything works.
 * @property {string} [json] - Where the figures go. Default: `bench/results/<date>.json`.
 * @property {boolean} help
 */

export const HELP = `Usage: npm run bench -- [options]

  --broker redis|postgres|all  what to measure on (default: redis)
  --quick                      few tasks and two rounds: shows that it works, not how fast it is
  --json <file>                where the figures go (default: bench/results/<date>.json)
  --help                       show this help

  BENCH_REDIS_URL              a Redis to use instead of a private one
`;

/** @type {Record<string, BenchOptions['brokers']>} */
const BROKERS = { redis: ['redis'], postgres: ['postgres'], all: ['redis', 'postgres'] };

/**
 * Reads the command line.
 * @param {string[]} argv - Without the interpreter and the script.
 * @returns {BenchOptions}
 * @throws Error when an option is unknown or has a wrong value.
 */
export function readOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      broker: { type: 'string', default: 'redis' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const brokers = Object.hasOwn(BROKERS, values.broker) ? BROKERS[values.broker] : undefined;
  if (brokers === undefined) {
    throw new Error(`--broker is '${values.broker}': write redis, postgres or all.`);
  }
  return {
    brokers,
    quick: values.quick,
    help: values.help,
    ...(values.json === undefined ? {} : { json: values.json }),
  };
}
