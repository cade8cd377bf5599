/** Measures this library and raw BullMQ side by side; see README.md. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { openBroker } from './harness/brokers.mjs';
import { buildLibrary, loadLibrary } from './harness/library.mjs';
import { describeMachine, load } from './harness/machine.mjs';
import { HELP, readOptions } from './harness/options.mjs';
import { takeRounds } from './harness/rounds.mjs';
import { sizesFor } from './harness/sizes.mjs';
import { renderTable } from './harness/table.mjs';
import { ENQUEUE_MEASURES } from './measures/enqueue.mjs';
import { LATENCY_MEASURE } from './measures/latency.mjs';
import { MEMORY_MEASURE } from './measures/memory.mjs';
import { RUN_MEASURES } from './measures/run.mjs';

const MEASURES = [...ENQUEUE_MEASURES, ...RUN_MEASURES, LATENCY_MEASURE, MEMORY_MEASURE];

/** Above this share of the cores in use before the start, the figures say little. */
const BUSY = 0.25;

/** @param {string} text - To the error output: standard output is for the table. */
const say = (text) => process.stderr.write(`${text}\n`);

/** Interrupted, the run still removes what it left on the server. */
const interruption = new AbortController();
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.on(signal, () => interruption.abort(new Error(`Interrupted by ${signal}.`)));
}

/** @param {'redis' | 'postgres'} kind @param {boolean} quick */
async function measure(kind, quick) {
  const sizes = sizesFor(kind, quick);
  const broker = await openBroker(kind);
  try {
    const watch = { report: say, signal: interruption.signal };
    const rows = await takeRounds(MEASURES, broker, sizes, watch);
    return { server: broker.server, sizes, rows };
  } finally {
    await broker.close();
  }
}

/** @param {Awaited<ReturnType<typeof measure>>} section */
function print({ server, sizes, rows }) {
  const { name, version, persistence } = server;
  console.log(`\n## ${name} ${version} (${persistence})`);
  console.log(`Median of ${sizes.rounds} rounds (least..greatest).\n`);
  console.log(renderTable(rows));
}

/** The options; `undefined` when they are wrong, which has been said then. */
function optionsOrHelp() {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n\n${HELP}`);
    return undefined;
  }
}

async function main() {
  const options = optionsOrHelp();
  if (options === undefined) {
    process.exitCode = 2;
    return;
  }
  if (options.help) {
    console.log(HELP);
    return;
  }
  const startedAt = new Date().toISOString();
  const loadBefore = load();
  const removeBuild = await buildLibrary();
  try {
    await bench(options, startedAt, loadBefore);
  } finally {
    await removeBuild();
  }
}

/**
 * @param {import('./harness/options.mjs').BenchOptions} options
 * @param {string} startedAt
 * @param {number} loadBefore
 */
async function bench(options, startedAt, loadBefore) {
  const machine = describeMachine();
  const isBusy = loadBefore > machine.cores * BUSY;
  const { VERSION } = await loadLibrary();

  const notes = [
    ...(options.quick ? ['Quick run: these figures only show that everything works.'] : []),
    ...(isBusy
      ? [`The machine was busy before the start (load ${loadBefore}): do not quote these figures.`]
      : []),
  ];
  console.log(
    `# nestjs-celery ${VERSION} and BullMQ ${machine.packages['bullmq']}, Node ${machine.node}, ` +
      `${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB`,
  );
  notes.forEach((note) => console.log(note));

  const sections = [];
  for (const kind of options.brokers) {
    const section = await measure(kind, options.quick);
    print(section);
    sections.push({ broker: kind, ...section });
  }

  const report = {
    startedAt,
    finishedAt: new Date().toISOString(),
    quick: options.quick,
    notes,
    library: VERSION,
    machine: { ...machine, loadBefore, loadAfter: load() },
    settings: { logLevel: 'warning', NODE_ENV: 'production' },
    sections,
  };
  const file =
    options.json ??
    fileURLToPath(new URL(`results/${startedAt.replaceAll(':', '-')}.json`, import.meta.url));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(report, null, 2)}\n`);
  say(`The figures are in ${file}`);
}

try {
  await main();
} catch (error) {
  const { aborted, reason } = interruption.signal;
  say(
    aborted
      ? reason.message
      : error instanceof Error
        ? (error.stack ?? error.message)
        : String(error),
  );
  process.exitCode = aborted ? 130 : 1;
}
