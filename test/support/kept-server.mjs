import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { selfSigned } from './self-signed.mjs';

const KEEPER = fileURLToPath(new URL('./server-keeper.mjs', import.meta.url));

/** A server that ends with this process, however this process ends. */
export class KeptServer {
  #keeper;
  #answers;
  /** One command at a time. @type {Promise<unknown>} */
  #last = Promise.resolve();

  /**
   * @param {'redis' | 'postgres'} kind
   * @param {object} options - What the keeper takes for this kind.
   */
  constructor(kind, options) {
    this.#keeper = spawn(process.execPath, [KEEPER, kind, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    // Writing to a keeper that died is reported by the answer that never comes.
    this.#keeper.stdin.on('error', () => undefined);
    this.#answers = createInterface({ input: this.#keeper.stdout })[Symbol.asyncIterator]();
  }

  /** Starts the server, for the first time or again, with the data it had. */
  start() {
    return this.#command('start');
  }

  /** Stops the server in an orderly way; its data stay. */
  stop() {
    return this.#command('stop');
  }

  /** Stops the server as a crash does; its data stay as they are. */
  kill() {
    return this.#command('kill');
  }

  /** Ends the server for good and removes its data. */
  async close() {
    if (this.#keeper.exitCode !== null || this.#keeper.signalCode !== null) {
      return;
    }
    const ended = once(this.#keeper, 'exit');
    this.#keeper.stdin.end();
    await ended;
  }

  /**
   * @param {string} command
   * @returns {Promise<void>}
   */
  #command(command) {
    const run = async () => {
      this.#keeper.stdin.write(`${command}\n`);
      const { value, done } = await this.#answers.next();
      if (done) {
        throw new Error(
          `The keeper of the server ended during '${command}': see its output above.`,
        );
      }
      const { error } = JSON.parse(value);
      if (error) {
        throw new Error(error);
      }
    };
    const result = this.#last.then(run, run);
    this.#last = result;
    return result;
  }
}

/** A port of the loopback interface that nobody uses now. @returns {Promise<number>} */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** The path of redis-server, else of valkey-server, else `undefined`. */
export function findRedisBinary() {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  return ['redis-server', 'valkey-server']
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * @typedef {object} RedisOptions
 * @property {number} [port] - Default: a free one.
 * @property {boolean} [appendonly] - Keeps the data over a stop and a kill. Default false.
 * @property {string} [password] - Asked from the default user.
 * @property {boolean} [tls] - TLS only, with a self-signed certificate. Default false.
 * @property {boolean} [cluster] - A cluster of this one node. Not with `password` or `tls`.
 */

/**
 * A private Redis; not started yet.
 * @param {RedisOptions} [options]
 * @returns {Promise<{ server: KeptServer, port: number, url: string, certificate?: string }>}
 *   `certificate`: what a client has to trust, as PEM text, with `tls`.
 */
export async function keepRedis(options = {}) {
  const binary = findRedisBinary();
  if (binary === undefined) {
    throw new Error('There is no redis-server and no valkey-server on the PATH: install one.');
  }
  const { appendonly = false, password, tls = false, cluster = false } = options;
  if (cluster && (password !== undefined || tls)) {
    throw new Error('A test cluster has neither a password nor TLS: leave them out.');
  }
  const port = options.port ?? (await freePort());
  const { key, cert } = tls ? selfSigned() : { key: '', cert: '' };
  const list = [
    ['--bind', '127.0.0.1'],
    ['--port', tls ? '0' : String(port)],
    ['--save', ''],
    ['--appendonly', appendonly ? 'yes' : 'no'],
    // Whatever was answered was written, so that a kill loses nothing.
    ['--appendfsync', 'no'],
    ['--maxmemory-policy', 'noeviction'],
    ...(password === undefined ? [] : [['--requirepass', password]]),
    ...(cluster
      ? [
          ['--cluster-enabled', 'yes'],
          ['--cluster-port', String(await freePort())],
          // Clients skip a node that does not say where it is.
          ['--cluster-announce-ip', '127.0.0.1'],
        ]
      : []),
    ...(tls
      ? [
          ['--tls-port', String(port)],
          ['--tls-key-file', 'key.pem'],
          ['--tls-cert-file', 'cert.pem'],
          ['--tls-ca-cert-file', 'cert.pem'],
          ['--tls-auth-clients', 'no'],
        ]
      : []),
  ];
  const user = password === undefined ? '' : `:${encodeURIComponent(password)}@`;
  const scheme = tls ? 'rediss' : cluster ? 'redis+cluster' : 'redis';
  /** @type {Record<string, string>} */
  const files = tls ? { 'key.pem': key, 'cert.pem': cert } : {};
  return {
    server: new KeptServer('redis', { binary, port, arguments: list.flat(), cluster, files }),
    port,
    ...(tls ? { certificate: cert } : {}),
    url: `${scheme}://${user}127.0.0.1:${port}/0`,
  };
}

/**
 * A private PostgreSQL 18; not started yet.
 * @param {{ port?: number, flags?: string[] }} [options] - `flags`: of the command line.
 * @returns {Promise<{ server: KeptServer, port: number, url: string }>}
 */
export async function keepPostgres(options = {}) {
  const port = options.port ?? (await freePort());
  const user = 'postgres';
  const password = 'celery-test';
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    // The data need to survive a crash of the server, not one of the machine.
    fsync: 'off',
    full_page_writes: 'off',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  flags.push(...(options.flags ?? []));
  return {
    server: new KeptServer('postgres', { port, user, password, flags }),
    port,
    url: `postgresql://${user}:${password}@127.0.0.1:${port}/postgres`,
  };
}
