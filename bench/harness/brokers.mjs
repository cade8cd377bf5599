import { findRedisBinary, keepPostgres, keepRedis } from '../../test/support/kept-server.mjs';
import { connectPostgres, connectRedis } from './connections.mjs';

/**
 * A place of its own for one sample: keys with a prefix, or a schema. Plain data, for children.
 *
 * @typedef {object} Scope
 * @property {'redis' | 'postgres'} broker
 * @property {string} url
 * @property {string} name - Prefix of the keys, name of the schema.
 */

/**
 * What a server is, for the report; without its address.
 *
 * @typedef {object} ServerFacts
 * @property {string} name
 * @property {string} version
 * @property {boolean} private - Started for this run.
 * @property {string} persistence
 *
 * @typedef {object} BenchBroker
 * @property {'redis' | 'postgres'} kind
 * @property {ServerFacts} server
 * @property {() => Scope} scope - A new place.
 * @property {(scope: Scope) => Promise<void>} clean - Removes everything in the place.
 * @property {() => Promise<void>} close
 */

/** How many keys one command names. */
const KEYS_AT_A_TIME = 1000;

/**
 * Opens the broker that the figures are taken on: a private server, unless the environment names
 * a Redis.
 *
 * @param {'redis' | 'postgres'} kind
 * @returns {Promise<BenchBroker>}
 */
export function openBroker(kind) {
  return kind === 'redis' ? openRedis() : openPostgres();
}

/** Names that no other run uses. @param {Pick<Scope, 'broker' | 'url'>} place */
function scopes(place) {
  let count = 0;
  const run = `celery_bench_${process.pid}_${Date.now().toString(36)}`;
  return () => {
    count += 1;
    return { ...place, name: `${run}_${count}` };
  };
}

/** @returns {Promise<BenchBroker>} */
async function openRedis() {
  const given = process.env['BENCH_REDIS_URL'];
  if (!given && findRedisBinary() === undefined) {
    throw new Error(
      'There is no redis-server on the PATH: install one, set BENCH_REDIS_URL to a Redis that ' +
        'may be used, or give --broker postgres.',
    );
  }
  const kept = given ? undefined : await keepRedis();
  await kept?.server.start();
  const url = given || (kept?.url ?? '');
  const redis = connectRedis(url);
  try {
    await redis.ping().catch((cause) => {
      const message = 'The Redis does not answer: start it, or correct BENCH_REDIS_URL.';
      throw new Error(message, { cause });
    });
    const field = async (/** @type {string} */ section, /** @type {string} */ name) =>
      new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(await redis.info(section))?.[1] ?? 'unknown';
    const appendonly = (await field('persistence', 'aof_enabled')) === '1';
    // Hosted servers refuse CONFIG.
    const [, save] = await redis
      .config('GET', 'save')
      .then(/** @returns {any} */ (answer) => answer)
      .catch(() => [undefined, 'unknown']);
    return {
      kind: 'redis',
      server: {
        name: 'Redis',
        version: await field('server', 'redis_version'),
        private: kept !== undefined,
        persistence: `appendonly ${appendonly ? 'yes' : 'no'}, save ${save === '' ? 'off' : save}`,
      },
      scope: scopes({ broker: 'redis', url }),
      clean: async ({ name }) => {
        let cursor = '0';
        do {
          const [next, keys] = await redis.scan(cursor, 'MATCH', `${name}:*`, 'COUNT', 1000);
          cursor = next;
          for (let from = 0; from < keys.length; from += KEYS_AT_A_TIME) {
            // Not UNLINK: freeing in the background would slow the next sample down.
            await redis.del(...keys.slice(from, from + KEYS_AT_A_TIME));
          }
        } while (cursor !== '0');
      },
      close: async () => {
        redis.disconnect();
        await kept?.server.close();
      },
    };
  } catch (error) {
    redis.disconnect();
    await kept?.server.close();
    throw error;
  }
}

/** @returns {Promise<BenchBroker>} */
async function openPostgres() {
  // The tests do without these; a real server does not, and a commit costs what it costs there.
  const kept = await keepPostgres({ flags: ['-c', 'fsync=on', '-c', 'full_page_writes=on'] });
  try {
    await kept.server.start();
    const pool = connectPostgres(kept.url, 1);
    const setting = async (/** @type {string} */ name) =>
      String(Object.values((await pool.query(`SHOW ${name}`)).rows[0])[0]);
    const settings = async (/** @type {string[]} */ ...names) => {
      const values = await Promise.all(names.map(setting));
      return names.map((name, index) => `${name} ${values[index]}`).join(', ');
    };
    return {
      kind: 'postgres',
      server: {
        name: 'PostgreSQL',
        version: await setting('server_version'),
        private: true,
        persistence: await settings('fsync', 'synchronous_commit', 'full_page_writes'),
      },
      scope: scopes({ broker: 'postgres', url: kept.url }),
      clean: async ({ name }) => {
        await pool.query(`DROP SCHEMA IF EXISTS ${name} CASCADE`);
        // What this sample wrote is not for the next one to flush.
        await pool.query('CHECKPOINT');
      },
      close: async () => {
        await pool.end();
        await kept.server.close();
      },
    };
  } catch (error) {
    await kept.server.close();
    throw error;
  }
}
