import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Tells the children where the build is. */
const VARIABLE = 'BENCH_LIBRARY';

/** The library as it was built. @returns {Promise<typeof import('nestjs-celery')>} */
export function loadLibrary() {
  const entry = process.env[VARIABLE];
  if (entry === undefined) {
    throw new Error('The library was not built yet: start the benchmarks with bench/run.mjs.');
  }
  return import(entry);
}

/**
 * Builds the library into `dist/libs/task-queue` and takes a copy of it for this run: a build that
 * somebody else starts meanwhile must not change what is measured.
 *
 * @returns {Promise<() => Promise<void>>} Removes the copy.
 */
export async function buildLibrary() {
  const nest = join(ROOT, 'node_modules/@nestjs/cli/bin/nest.js');
  const build = spawn(process.execPath, [nest, 'build', 'task-queue'], {
    cwd: ROOT,
    // Standard output is for the table.
    stdio: ['ignore', 2, 2],
  });
  const [code] = await once(build, 'exit');
  if (code !== 0) {
    throw new Error('The library could not be built: correct what the compiler says above.');
  }
  // Inside node_modules, so that packages are found from there.
  const cache = join(ROOT, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const copy = await mkdtemp(join(cache, 'bench-'));
  const remove = () => rm(copy, { recursive: true, force: true });
  try {
    await writeFile(join(copy, 'package.json'), '{"type":"module"}');
    await cp(join(ROOT, 'dist/libs/task-queue'), copy, { recursive: true });
  } catch (error) {
    await remove();
    throw error;
  }
  process.env[VARIABLE] = pathToFileURL(join(copy, 'index.js')).href;
  return remove;
}
