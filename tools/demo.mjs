// `npm run demo`: the whole of the sample on this machine. Builds what is stale, starts a
// PostgreSQL, the web application and a worker, calls a few tasks over HTTP, and stays up.
//
//   --exit          stop everything at the end; the exit code says whether all went well
//   --broker <url>  use this broker instead of a PostgreSQL of its own
//   --port <n>      port of the web application (default 3000, or a free one when that is taken)
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const KEEPER = join(ROOT, 'test/support/server-keeper.mjs');
const NEST = join(ROOT, 'node_modules/@nestjs/cli/bin/nest.js');
const HOST = '127.0.0.1';
const KEPT_LINES = 200;
const SHOWN_LINES = 40;
/** Milliseconds. */
const START_DEADLINE = 60_000;
const STOP_DEADLINE = 8_000;

// A child process whose parent is gone ends too, also when the parent was killed.
const END_WITH_PARENT = `data:text/javascript,${encodeURIComponent(`
  process.on('disconnect', () => {
    process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${STOP_DEADLINE}).unref();
  });
  process.channel.unref();
`)}`;

/** What went wrong, for people: shown without a stack. */
class DemoError extends Error {}

/** A child process, with the last lines that it said. */
class Child {
  #listeners = new Set();
  lines = [];

  constructor(name, argv, { env = process.env, ipc = false } = {}) {
    this.name = name;
    // In a group of its own: a Ctrl-C of the terminal reaches this script alone, which then stops
    // the children in order.
    this.process = spawn(process.execPath, argv, {
      cwd: ROOT,
      env,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe', ...(ipc ? ['ipc'] : [])],
    });
    this.process.stdin.on('error', () => undefined);
    for (const stream of [this.process.stdout, this.process.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#hear(line));
    }
    this.ended = once(this.process, 'close').then(
      ([code, signal]) => signal ?? code,
      (error) => error.message,
    );
  }

  get isRunning() {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Resolves with the match of the first line that fits; rejects when the process ends before. */
  async line(pattern) {
    const earlier = this.lines.map((line) => pattern.exec(line)).find(Boolean);
    if (earlier) return earlier;
    const timeout = new AbortController();
    let listener;
    try {
      return await Promise.race([
        new Promise((resolve) => {
          listener = (line) => {
            const match = pattern.exec(line);
            if (match) resolve(match);
          };
          this.#listeners.add(listener);
        }),
        this.ended.then((how) => {
          throw new DemoError(`The ${this.name} ended (${how}) before it was ready.`);
        }),
        pause(START_DEADLINE, undefined, { signal: timeout.signal }).then(() => {
          throw new DemoError(`The ${this.name} did not say '${pattern.source}' in time.`);
        }),
      ]);
    } finally {
      this.#listeners.delete(listener);
      timeout.abort();
    }
  }

  /** Asks the process to end, and kills its whole group when it does not. */
  async stop(ask) {
    if (this.isRunning) {
      ask();
      const timeout = new AbortController();
      const tooLate = pause(STOP_DEADLINE, true, { signal: timeout.signal }).catch(() => false);
      if (await Promise.race([tooLate, this.ended.then(() => false)])) {
        this.#kill();
      }
      timeout.abort();
    }
    await this.ended;
  }

  #kill() {
    try {
      process.kill(-this.process.pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }

  #hear(line) {
    this.lines.push(line);
    this.lines.splice(0, this.lines.length - KEPT_LINES);
    for (const listener of this.#listeners) listener(line);
  }
}

/** Everything that has to be stopped again. */
class Demo {
  #children = [];
  #isStopping = false;
  #postgres;

  start(name, argv, options) {
    if (this.#isStopping) throw new DemoError('Stopped.');
    const child = new Child(name, argv, options);
    this.#children.push(child);
    return child;
  }

  /** Starts the application `name` of the sample. */
  app(name, env) {
    const main = ['--enable-source-maps', '--import', END_WITH_PARENT, mainFile(name)];
    return this.start(name, main, { env, ipc: true });
  }

  /** Starts a PostgreSQL with data of its own, and resolves with its URL. */
  async postgres() {
    const port = await freePort();
    const [user, password] = ['postgres', 'celery-demo'];
    const settings = {
      listen_addresses: HOST,
      unix_socket_directories: '',
      // The data are thrown away at the end.
      fsync: 'off',
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    // The keeper ends the server and removes its data when its input ends, however that comes.
    const keeper = this.start('PostgreSQL', [
      KEEPER,
      'postgres',
      JSON.stringify({ port, user, password, flags }),
    ]);
    this.#postgres = keeper;
    keeper.process.stdin.write('start\n');
    const [answer] = await keeper.line(/^\{.*\}$/);
    const { error } = JSON.parse(answer);
    if (error) throw new DemoError(error);
    return `postgresql://${user}:${password}@${HOST}:${port}/postgres`;
  }

  /** Rejects when one of the servers ends by itself. */
  async serversEnd() {
    const servers = this.#children.filter(({ isRunning }) => isRunning);
    const name = await Promise.race(servers.map((child) => child.ended.then(() => child.name)));
    throw new DemoError(`The ${name} ended by itself.`);
  }

  logs() {
    return this.#children
      .filter(({ lines }) => lines.length > 0)
      .map(({ lines, name }) => `--- ${name}\n${lines.slice(-SHOWN_LINES).join('\n')}`)
      .join('\n');
  }

  /** The applications first, then the store that they need to end well. */
  async stop() {
    this.#isStopping = true;
    const others = this.#children.filter((child) => child !== this.#postgres);
    await Promise.all(others.map((child) => child.stop(() => child.process.kill('SIGTERM'))));
    await this.#postgres?.stop(() => this.#postgres.process.stdin.end());
  }
}

const options = readOptions();
const demo = new Demo();
const interrupted = new Promise((resolve) => {
  // Kept to the end: a Ctrl-C that comes twice must not cut the stopping short.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => resolve(signal));
  }
  // Whoever read the output has gone.
  process.stdout.on('error', () => resolve('SIGPIPE'));
});
let isUp = false;
try {
  const signal = await Promise.race([interrupted, show().then(() => 'done')]);
  if (signal !== 'done') {
    process.exitCode = isUp ? 0 : 130;
    console.log(`\nStopping (${signal}) ...`);
  }
} catch (error) {
  process.exitCode = 1;
  const text = error instanceof DemoError ? error.message : error.stack;
  console.error(`\n${demo.logs()}\n\nThe demo failed: ${text}`);
}
await demo.stop();
console.log('Stopped: nothing is left running.');
process.exit();

async function show() {
  const begin = performance.now();
  const stale = ['api', 'worker'].filter(isStale);
  if (stale.length > 0) {
    await step(`Building ${stale.join(' and ')}`, () => Promise.all(stale.map(build)));
  }
  const broker =
    options.broker ?? (await step('Starting an embedded PostgreSQL', () => demo.postgres()));
  const api = await step(
    'Starting the API and a worker',
    () => startApps(broker),
    ({ url }) => url,
  );

  await step(
    'Calling demoapp.tasks.add(2, 3)',
    () => add(api),
    (value) => `= ${value}`,
  );
  const request = await step('Calling nest_blog.celery.debug_task()', () => debugTask(api));
  console.log(`  worker: ${request}`);
  const report = await step(
    'Reporting on docs/',
    (tell) => makeReport(api, tell),
    (r) => `${r.totals.files} files`,
  );
  printReport(report);
  console.log(`\nAll done in ${seconds(performance.now() - begin)}.`);
  if (options.exit) return;

  isUp = true;
  console.log(`
Look at
  ${api.url}/                     the endpoints
  ${api.url}/tasks                the tasks
  ${api.url}/reports/${report.reportId}/report
  ${api.url}${report.files[0]?.urls.html}

Press Ctrl-C to stop.`);
  await demo.serversEnd();
}

/** Starts both applications, and resolves when both are ready. */
async function startApps(broker) {
  const port = await apiPort();
  const env = {
    // Settings of the caller's shell would change what is shown.
    ...Object.fromEntries(
      Object.entries(process.env).filter(([key]) => !key.startsWith('CELERY_')),
    ),
    CELERY_BROKER_URL: broker,
    HOST,
    NO_COLOR: '1',
    PORT: String(port),
    REPORTS_ROOT: join(ROOT, 'docs'),
  };
  const [api, worker] = [demo.app('api', env), demo.app('worker', env)];
  const url = `http://${HOST}:${port}`;
  // A worker waits for a broker that is away; the API says so.
  const apiReady = api.line(/API ready on/).then(() => get(`${url}/health`));
  await Promise.all([apiReady, worker.line(/ready\.$/)]);
  return { url, worker };
}

async function add({ url }) {
  const { links } = await post(`${url}/tasks/demoapp.tasks.add`, { args: [2, 3] });
  const { result, state } = await get(`${url}${links.wait}?timeout=30`);
  if (result !== 5) throw new DemoError(`add(2, 3) ended ${state} with ${result}.`);
  return result;
}

async function debugTask({ url, worker }) {
  const { taskId } = await post(`${url}/tasks/nest_blog.celery.debug_task`);
  const [line] = await worker.line(new RegExp(`Request: .*'${taskId}'.*`));
  return line;
}

async function makeReport({ url }, tell) {
  const { links } = await post(`${url}/reports`, {});
  const deadline = Date.now() + START_DEADLINE;
  for (;;) {
    const { done, failed, percent, total } = await get(url + links.progress);
    tell(`${done} of ${total} files (${percent}%)`);
    if (failed > 0) throw new DemoError(`${failed} files failed: see ${links.report}.`);
    if (done === total) return get(url + links.report);
    if (Date.now() > deadline) throw new DemoError('The report was not ready in time.');
    await pause(50);
  }
}

function printReport({ files, totals }) {
  const rows = files.toSorted((a, b) => b.words - a.words).slice(0, 8);
  const width = Math.max(20, ...rows.map(({ name }) => name.length));
  const row = (name, ...cells) =>
    `  ${name.padEnd(width)} ${cells.map((cell) => String(cell).padStart(9)).join('')}`;
  const facts = (of) => [of.words, of.links, of.headings, of.readingMinutes];
  console.log(row('file', 'words', 'links', 'headings', 'minutes'));
  for (const file of rows) console.log(row(file.name, ...facts(file)));
  if (rows.length < files.length) console.log(`  ... and ${files.length - rows.length} more`);
  console.log(row(`total of ${totals.files}`, ...facts(totals)));
}

// Building.

function mainFile(app) {
  return join(ROOT, 'dist/apps', app, 'apps', app, 'src/main.js');
}

/** Whether a source is newer than what was built of it. */
function isStale(app) {
  const built = statSync(mainFile(app), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = ['apps', 'libs'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true })
      .filter((name) => /(?<!\.spec)\.(?:ts|mjs|json)$/.test(name))
      .map((name) => join(ROOT, folder, name)),
  );
  const configs = ['nest-cli.json', 'package-lock.json', 'tsconfig.json'];
  return [...sources, ...configs.map((name) => join(ROOT, name))].some(
    (file) => (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) > built,
  );
}

async function build(app) {
  const child = demo.start(`build of ${app}`, [NEST, 'build', app]);
  const code = await child.ended;
  if (code !== 0) {
    // What was written nevertheless must not pass for fresh.
    rmSync(mainFile(app), { force: true });
    throw new DemoError(`The ${child.name} failed (${code}).`);
  }
}

// Small things.

/** Runs one step, and says what it does, what came of it and how long it took. */
async function step(title, run, tell = () => '') {
  const begin = performance.now();
  process.stdout.write(`${title} ...`);
  const result = await run((text) => progress(`${title} ... ${text}`));
  progress(`${title} ...`);
  console.log(` ${tell(result)} (${seconds(performance.now() - begin)})`.replace('  ', ' '));
  return result;
}

/** Writes the line of the step anew; on a terminal only. */
function progress(line) {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${line}`);
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

async function get(url) {
  return answerOf(await fetch(url));
}

async function post(url, body) {
  return answerOf(
    await fetch(url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body ?? {}),
    }),
  );
}

async function answerOf(response) {
  const text = await response.text();
  if (!response.ok) throw new DemoError(`${response.url} answered ${response.status}: ${text}`);
  return JSON.parse(text);
}

async function apiPort() {
  const port = options.port ?? 3000;
  try {
    return await freePort(port);
  } catch (error) {
    if (options.port === undefined) return freePort();
    throw new DemoError(`Port ${port} cannot be used (${error.code}): give another --port.`);
  }
}

/** A port that nobody uses now: `port`, or any. Rejects when `port` is taken. */
async function freePort(port = 0) {
  const server = createServer().listen(port, HOST);
  await once(server, 'listening');
  const { port: found } = server.address();
  server.close();
  await once(server, 'close');
  return found;
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: { exit: { type: 'boolean' }, broker: { type: 'string' }, port: { type: 'string' } },
    });
    const port = values.port === undefined ? undefined : Number(values.port);
    if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
      throw new Error('--port takes a number from 1 to 65535.');
    }
    return { ...values, port };
  } catch (error) {
    console.error(
      `${error.message}\nUsage: npm run demo -- [--exit] [--broker <url>] [--port <n>]`,
    );
    return process.exit(2);
  }
}
