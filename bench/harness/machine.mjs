import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';

const require = createRequire(import.meta.url);

/** What the figures were taken on. */
export function describeMachine() {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    os: `${platform()} ${release()}`,
    node: process.version,
    packages: Object.fromEntries(
      ['bullmq', 'ioredis', 'pg', '@nestjs/core'].map((name) => [name, versionOf(name)]),
    ),
  };
}

/** How many processes wanted to run in the last minute, on average. */
export function load() {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}

/** @param {string} name @returns {string} */
function versionOf(name) {
  return require(`${name}/package.json`).version;
}
