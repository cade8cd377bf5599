import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { POOL_NAMES, type PoolName } from './pools/index.js';
import { LOG_LEVELS, type WorkerLogLevel, type WorkerOptions } from './worker-options.js';

/** What the command line asked for. */
export type WorkerCommand =
  | { readonly kind: 'run'; readonly options: WorkerOptions }
  | { readonly kind: 'exit'; readonly code: number };

interface Flags {
  concurrency?: number;
  pool?: PoolName;
  maxTasksPerChild?: number;
  maxMemoryPerChild?: number;
  timeLimit?: number;
  softTimeLimit?: number;
  queues?: string[];
  excludeQueues?: string[];
  hostname?: string;
  loglevel?: WorkerLogLevel;
}

/**
 * Reads a worker's command line, with the flags of Celery's `celery worker`. Help and errors are
 * printed; then the answer is to exit.
 *
 * @param argv - Arguments without the interpreter and the script.
 */
export function parseWorkerArguments(argv: readonly string[]): WorkerCommand {
  try {
    const command = buildCommand().parse(argv.map(unquote), { from: 'user' });
    return { kind: 'run', options: toOptions(command.opts<Flags>()) };
  } catch (error) {
    if (error instanceof CommanderError) {
      return { kind: 'exit', code: error.exitCode };
    }
    throw error;
  }
}

function buildCommand(): Command {
  return new Command('worker')
    .description('Runs tasks. Options win over the CELERY_* settings.')
    .option('-c, --concurrency <n>', 'number of tasks that run at a time', wholeNumber)
    .addOption(
      new Option('-P, --pool <name>', 'where tasks run')
        .choices([...POOL_NAMES])
        .default(undefined, 'worker_pool, else async'),
    )
    .option('-Q, --queues <names>', 'queues to consume, separated by commas', names)
    .option('-X, --exclude-queues <names>', 'queues not to consume, separated by commas', names)
    .option('-n, --hostname <name>', 'name of the node; %h host, %n host without domain, %d domain')
    .option('-l, --loglevel <level>', `least level to log: ${LOG_LEVELS.join(', ')}`, logLevel)
    .option('--time-limit <s>', 'hard time limit of tasks, seconds', seconds)
    .option('--soft-time-limit <s>', 'soft time limit of tasks, seconds', seconds)
    .option('--max-tasks-per-child <n>', 'tasks after which a child is replaced', wholeNumber)
    .option('--max-memory-per-child <KiB>', 'memory above which a child is replaced', wholeNumber)
    .helpOption('-h, --help', 'show this help')
    .allowExcessArguments(false)
    .exitOverride();
}

function toOptions(flags: Flags): WorkerOptions {
  const { loglevel, ...rest } = flags;
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  return {
    ...(Object.fromEntries(given) as WorkerOptions),
    ...(loglevel === undefined ? {} : { logLevel: loglevel }),
  };
}

/** `nest start worker --no-shell -- -c 4` hands arguments on in quotes. */
function unquote(argument: string): string {
  return /^"(.*)"$/.exec(argument)?.[1] ?? argument;
}

function seconds(text: string): number {
  const number = Number(text);
  if (!(number > 0) || number === Infinity) {
    throw new InvalidArgumentError('It must be a number of seconds above 0.');
  }
  return number;
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) {
    throw new InvalidArgumentError('It must be a whole number of at least 1.');
  }
  return number;
}

function names(text: string): string[] {
  const list = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (list.length === 0) {
    throw new InvalidArgumentError('It must name at least one queue.');
  }
  return list;
}

function logLevel(text: string): WorkerLogLevel {
  const level = text.toLowerCase() === 'fatal' ? 'critical' : text.toLowerCase();
  const known = LOG_LEVELS.find((candidate) => candidate === level);
  if (!known) {
    throw new InvalidArgumentError(`It must be one of ${LOG_LEVELS.join(', ')}.`);
  }
  return known;
}
