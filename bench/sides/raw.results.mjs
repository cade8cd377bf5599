import { connectPostgres, connectRedis } from '../harness/connections.mjs';

/**
 * What a user of BullMQ writes to have a result where others can read it, and to tell them of it:
 * SET with a lifetime and PUBLISH in one round trip; INSERT and NOTIFY in one statement.
 *
 * @typedef {object} RawResults
 * @property {(id: string, value: unknown) => Promise<void>} put
 * @property {(id: string) => Promise<unknown>} get
 * @property {() => Promise<void>} close
 */

/** A day, as is our library's default. */
const LIFETIME = 86_400_000;

/** The size of BullMQ's own pool, by `pg`'s default. */
const POOL_SIZE = 10;

/** @param {import('../harness/brokers.mjs').Scope} scope @returns {Promise<RawResults>} */
export async function openResults(scope) {
  return scope.broker === 'redis' ? inRedis(scope) : inPostgres(scope);
}

/** @param {import('../harness/brokers.mjs').Scope} scope @returns {RawResults} */
function inRedis({ name, url }) {
  const redis = connectRedis(url);
  const key = (/** @type {string} */ id) => `${name}:result:${id}`;
  return {
    put: async (id, value) => {
      const replies = await redis
        .pipeline()
        .set(key(id), JSON.stringify({ status: 'SUCCESS', result: value }), 'PX', LIFETIME)
        .publish(`${name}:results`, id)
        .exec();
      const failed = replies?.find(([error]) => error);
      if (failed?.[0]) {
        throw failed[0];
      }
    },
    get: async (id) => JSON.parse((await redis.get(key(id))) ?? '{}').result,
    close: async () => redis.disconnect(),
  };
}

/** @param {import('../harness/brokers.mjs').Scope} scope @returns {Promise<RawResults>} */
async function inPostgres({ name, url }) {
  const pool = connectPostgres(url, POOL_SIZE);
  const table = `${name}.raw_result`;
  await pool.query(
    `CREATE TABLE IF NOT EXISTS ${table}
       (id text PRIMARY KEY, payload text NOT NULL, expires_at timestamptz NOT NULL)`,
  );
  const insert = `
    WITH stored AS (
      INSERT INTO ${table} (id, payload, expires_at)
      VALUES ($1, $2, now() + interval '1 day')
      ON CONFLICT (id) DO UPDATE SET payload = excluded.payload, expires_at = excluded.expires_at
      RETURNING id)
    SELECT pg_notify('raw_results', id) FROM stored`;
  return {
    put: async (id, value) => {
      const payload = JSON.stringify({ status: 'SUCCESS', result: value });
      await pool.query({ name: 'put', text: insert, values: [id, payload] });
    },
    get: async (id) => {
      const { rows } = await pool.query(`SELECT payload FROM ${table} WHERE id = $1`, [id]);
      return JSON.parse(rows[0]?.payload ?? '{}').result;
    },
    close: () => pool.end(),
  };
}
