import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TaskRequest } from '../tasks/index.js';
import { BlockedLoopGuard, overdueFile, takeOverdueRuns } from './blocked-loop.guard.js';
import { BlockedLoopTable, GUARD_HEADER_BYTES, GUARD_SLOT_BYTES } from './blocked-loop.table.js';

const THREAD = fileURLToPath(new URL('./blocked-loop-thread.mjs', import.meta.url));

const NOTE = { lease: { id: 'id-1', queue: 'mail', token: 't' }, task: 'tests.block', limit: 0.2 };

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'celery-guard-'));
  file = join(folder, 'overdue');
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A process with one armed slot; `main` is what its main thread does then. */
async function runProcess(main: string): Promise<{ code: number | null; signal: string | null }> {
  const script = `
    const { Worker } = require('node:worker_threads');
    const layout = { slotBytes: ${GUARD_SLOT_BYTES}, headerBytes: ${GUARD_HEADER_BYTES} };
    const slots = new SharedArrayBuffer(layout.slotBytes * 2);
    const note = ${JSON.stringify(JSON.stringify(NOTE))};
    const header = new Int32Array(slots);
    const thread = new Worker(${JSON.stringify(THREAD)}, {
      workerData: { slots, layout, file: ${JSON.stringify(file)} },
    });
    thread.once('message', () => {
      header[1] = Buffer.from(slots).write(note, layout.headerBytes);
      new Float64Array(slots)[1] = Date.now() + 200;
      Atomics.add(header, 0, 2);
      ${main}
    });
  `;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  return { code, signal };
}

describe('the guard of the event loop', () => {
  it('kills a process that a task blocks beyond its limit, and leaves a note', async () => {
    expect(await runProcess('for (;;);')).toEqual({ code: null, signal: 'SIGKILL' });
    expect(takeOverdueRuns(file)).toEqual([NOTE]);
    expect(takeOverdueRuns(file)).toEqual([]);
  });

  it('leaves a process alone that ends the run itself, if late', async () => {
    const main = `
      setTimeout(() => {
        header[1] = 0;
        Atomics.add(header, 0, 2);
        setTimeout(() => process.exit(7), 1000);
      }, 450);
    `;
    expect(await runProcess(main)).toEqual({ code: 7, signal: null });
    expect(existsSync(file)).toBe(false);
  });

  it('starts and ends, and watches runs until they are cleared', async () => {
    const guard = await BlockedLoopGuard.start(file);
    const request = new TaskRequest({
      message: { id: 'id', task: 'tests.any', headers: {} },
      args: [],
      kwargs: {},
      hostname: 'celery@test',
      queue: 'mail',
      deliveryTag: 'token',
    });
    // Armed and cleared before the thread can look twice: this process must survive it.
    const watch = guard.watch(request, 0.001);
    watch.clear();
    watch.clear();
    await guard.close();
    expect(existsSync(file)).toBe(false);
  });
});

describe('the table of the guard', () => {
  it('takes what fits, and says when it is full', () => {
    const table = new BlockedLoopTable(2);
    expect(table.add('x'.repeat(GUARD_SLOT_BYTES), 1)).toBeUndefined();
    const slots = [table.add('a', 1), table.add('b', 2)];
    expect(new Set(slots).size).toBe(2);
    expect(table.add('c', 3)).toBeUndefined();
    table.remove(slots[0]!);
    expect(table.add('c', 3)).toBe(slots[0]);
  });
});

describe('the notes', () => {
  it('are read line by line, without what is none', () => {
    writeFileSync(file, `${JSON.stringify(NOTE)}\n{"lease":\nnull\n{"task":"x","limit":1}\n`);
    expect(takeOverdueRuns(file)).toEqual([NOTE]);
    expect(existsSync(file)).toBe(false);
  });

  it('have a place of their own per node and broker', () => {
    expect(overdueFile('a@b', 'redis://x')).toBe(overdueFile('a@b', 'redis://x'));
    expect(overdueFile('a@b', 'redis://x')).not.toBe(overdueFile('a@b', 'redis://y'));
  });
});
