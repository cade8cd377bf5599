// Renews leases on Redis, inside the lease thread.
import { Cluster, Redis } from 'ioredis';

/** @typedef {{ id: string, queue: string, token: string }} Lease */
/** @typedef {{ prefix: string, endpoint: import('./redis-endpoint.js').RedisEndpoint }} Config */

/** How many leases one script renews: a bound on how long it holds the store. */
const CHUNK = 500;

// BullMQ keeps a lease as `<job>:lock` and a set of jobs that may be stalled.
const RENEW = `
local lost = {}
for i = 1, #KEYS, 2 do
  local n = (i + 1) / 2
  local token, id = ARGV[n * 2], ARGV[n * 2 + 1]
  if redis.call('GET', KEYS[i]) == token then
    redis.call('SET', KEYS[i], token, 'PX', ARGV[1])
    redis.call('SREM', KEYS[i + 1], id)
  else
    lost[#lost + 1] = n
  end
end
return lost
`;

/** @param {Config} config */
export async function open({ prefix, endpoint }) {
  const client = connect(endpoint);
  // Failures show in the answers of the commands; the client reconnects by itself.
  client.on('error', () => undefined);

  return {
    /**
     * @param {Lease[]} leases
     * @param {number} durationMs
     */
    async renew(leases, durationMs) {
      /** @type {Lease[]} */
      const lost = [];
      for (let from = 0; from < leases.length; from += CHUNK) {
        const chunk = leases.slice(from, from + CHUNK);
        const keys = chunk.flatMap(({ id, queue }) => [
          `${prefix}:${queue}:${id}:lock`,
          `${prefix}:${queue}:stalled`,
        ]);
        const args = chunk.flatMap(({ id, token }) => [token, id]);
        const answer = /** @type {number[]} */ (
          await client.eval(RENEW, keys.length, ...keys, durationMs, ...args)
        );
        for (const n of answer) {
          lost.push(/** @type {Lease} */ (chunk[n - 1]));
        }
      }
      return lost;
    },
    async close() {
      client.disconnect();
    },
  };
}

/** @param {Config['endpoint']} endpoint */
function connect(endpoint) {
  const common = {
    maxRetriesPerRequest: 0,
    retryStrategy: (/** @type {number} */ times) => Math.min(times * 100, 1000),
  };
  if (endpoint.kind === 'cluster') {
    return new Cluster([...endpoint.nodes], {
      redisOptions: { ...endpoint.options, ...common },
    });
  }
  return new Redis({ ...endpoint.options, ...common, commandTimeout: 5000 });
}
