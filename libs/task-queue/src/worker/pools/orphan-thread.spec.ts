import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';

const THREAD = fileURLToPath(new URL('./orphan-thread.mjs', import.meta.url));

/** Blocks for ever, after the thread has started; whoever holds its stdout sees it end. */
const CHILD = `
  const { Worker } = require('node:worker_threads');
  const workerData = { parent: process.ppid };
  new Worker(${JSON.stringify(THREAD)}, { workerData }).once('online', () => {
    process.stdout.write('blocked');
    for (;;);
  });
`;

const PARENT = `
  require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(CHILD)}], {
    stdio: 'inherit',
  });
  setInterval(() => {}, 1000);
`;

it('ends a child that blocks when the process that started it was killed', async () => {
  const parent = spawn(process.execPath, ['-e', PARENT], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  parent.stdout.on('data', (chunk: Buffer) => {
    said += String(chunk);
    // One chunk is all that is written.
    parent.kill('SIGKILL');
  });
  await once(parent, 'exit');
  await once(parent.stdout, 'close');
  expect(said).toBe('blocked');
}, 20_000);
