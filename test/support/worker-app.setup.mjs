import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import setupStores from './stores.setup.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Jest's globalSetup of the e2e project: the stores, and the build of `test/worker-app`, which
 * the tests run as a process of its own.
 */
export default async function setup() {
  const stores = setupStores();
  execFileSync(
    process.execPath,
    [
      join(root, 'node_modules/@nestjs/cli/bin/nest.js'),
      'build',
      '--config',
      'test/worker-app/nest-cli.json',
    ],
    { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  await stores;
}
