import { findRedisBinary, keepPostgres, keepRedis } from './kept-server.mjs';

/** @typedef {{ variable: string, server: import('./kept-server.mjs').KeptServer }} KeptStore */

/**
 * Jest's globalSetup of the projects that need stores: starts a PostgreSQL, and a Redis where
 * there is one, unless the environment names servers to use. Several projects may call it.
 */
export default async function setup() {
  /** @type {{ keptStores?: KeptStore[], startOfStores?: Promise<void> }} */
  const shared = /** @type {any} */ (globalThis);
  shared.keptStores ??= [];
  shared.startOfStores ??= startStores(shared.keptStores);
  await shared.startOfStores;
}

/** @param {KeptStore[]} stores - Gets every store as soon as there is something to end. */
async function startStores(stores) {
  /**
   * @param {string} variable
   * @param {() => ReturnType<typeof keepPostgres>} keep
   */
  const provide = async (variable, keep) => {
    if (process.env[variable]) {
      return;
    }
    const { server, url } = await keep();
    stores.push({ variable, server });
    await server.start();
    process.env[variable] = url;
  };

  await Promise.all([
    provide('CELERY_TEST_POSTGRES_URL', keepPostgres),
    findRedisBinary() && provide('CELERY_TEST_REDIS_URL', keepRedis),
  ]);
}
