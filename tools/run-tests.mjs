/**
 * `npm test`: runs Jest over all projects, arguments passed on, and ends with what was skipped and
 * why, and with the line `N passed, N failed, N skipped`. The exit code is Jest's.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'celery-test-run-'));
const summaryFile = join(folder, 'summary.json');

const jest = spawn(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    join(root, 'node_modules/jest/bin/jest.js'),
    `--reporters=${join(root, 'test/support/quiet.reporter.mjs')}`,
    ...process.argv.slice(2),
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, CELERY_TEST_SUMMARY: summaryFile },
  },
);

// A terminal's Ctrl-C reaches Jest by itself; a signal to this process alone is handed on. Either
// way this process stays until Jest has ended, to have the last word.
process.on('SIGINT', () => jest.kill('SIGINT'));
process.on('SIGTERM', () => jest.kill('SIGTERM'));

/** @type {[number | null, NodeJS.Signals | null]} */
const [code, signal] = await once(jest, 'exit');
const exitCode = code ?? 128 + constants.signals[signal ?? 'SIGKILL'];

/** @type {import('../test/support/quiet.reporter.mjs').Summary} */
let summary = { passed: 0, failed: 0, skipped: 0, notes: [] };
try {
  summary = JSON.parse(readFileSync(summaryFile, 'utf8'));
} catch {
  summary.notes = ['No test was run, or the run was broken off: see the output above.'];
}
rmSync(folder, { recursive: true, force: true });

if (exitCode !== 0 && summary.failed === 0) {
  summary.failed = 1;
  summary.notes.push(`Jest itself ended with exit code ${exitCode}, which counts as one failure.`);
}
for (const note of summary.notes) {
  console.log(note);
}
console.log(`${summary.passed} passed, ${summary.failed} failed, ${summary.skipped} skipped`);
process.exitCode = exitCode;
