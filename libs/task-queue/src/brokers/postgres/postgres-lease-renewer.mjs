// Renews leases on PostgreSQL, inside the lease thread.
import { Client } from 'pg';

/** @typedef {{ id: string, queue: string, token: string }} Lease */
/** @typedef {{ client: Record<string, unknown>, schema: string }} Config */

/** How long a closing connection is waited for, milliseconds. */
const CLOSE_DEADLINE = 500;

/** @param {Config} config */
export async function open({ client: clientConfig, schema }) {
  const renewSql = `
    UPDATE "${schema}".job AS j
       SET locked_until_ms = (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $4
      FROM unnest($1::text[], $2::text[], $3::text[]) AS held(queue, id, token)
     WHERE j.queue = held.queue AND j.id = held.id
       AND j.state = 'active' AND j.lock_token = held.token
    RETURNING j.lock_token AS token`;
  /** @type {Client | undefined} */
  let current;

  /** @param {number} timeout */
  async function connect(timeout) {
    const client = new Client({
      ...clientConfig,
      connectionTimeoutMillis: timeout,
      query_timeout: timeout,
      keepAlive: true,
    });
    // The next round connects again.
    client.on('error', () => forget(client));
    try {
      await client.connect();
    } catch (error) {
      forget(client);
      throw error;
    }
    current = client;
    return client;
  }

  /** @param {Client} client */
  function forget(client) {
    if (current === client) {
      current = undefined;
    }
    client.end().catch(() => undefined);
  }

  return {
    /**
     * @param {Lease[]} leases
     * @param {number} durationMs
     * @returns {Promise<Lease[]>} Those that are held no more.
     */
    async renew(leases, durationMs) {
      const client = current ?? (await connect(Math.max(1, Math.floor(durationMs / 3))));
      try {
        const { rows } = await client.query(renewSql, [
          leases.map(({ queue }) => queue),
          leases.map(({ id }) => id),
          leases.map(({ token }) => token),
          durationMs,
        ]);
        const renewed = new Set(rows.map(({ token }) => token));
        return leases.filter(({ token }) => !renewed.has(token));
      } catch (error) {
        forget(client);
        throw error;
      }
    },

    async close() {
      const client = current;
      current = undefined;
      if (client) {
        const ended = client.end().catch(() => undefined);
        await Promise.race([
          ended,
          new Promise((resolve) => setTimeout(resolve, CLOSE_DEADLINE).unref()),
        ]);
      }
    },
  };
}
