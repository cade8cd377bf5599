/** Jest's globalTeardown: ends the servers that `stores.setup.mjs` started. */
export default async function teardown() {
  /** @type {{ keptStores?: import('./stores.setup.mjs').KeptStore[], startOfStores?: unknown }} */
  const shared = /** @type {any} */ (globalThis);
  const stores = shared.keptStores ?? [];
  delete shared.keptStores;
  delete shared.startOfStores;
  await Promise.all(
    stores.map(async ({ variable, server }) => {
      delete process.env[variable];
      await server.close();
    }),
  );
}
