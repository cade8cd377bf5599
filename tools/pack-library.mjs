/**
 * `npm run pack`: builds the library and packs it as `dist/nestjs-celery-<version>.tgz`, to be
 * installed in an application with `npm install <file>`.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const built = join(root, 'dist/libs/task-queue');

execFileSync(
  process.execPath,
  [join(root, 'node_modules/@nestjs/cli/bin/nest.js'), 'build', 'task-queue'],
  { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] },
);
copyFileSync(join(root, 'libs/task-queue/package.json'), join(built, 'package.json'));
copyFileSync(join(root, 'README.md'), join(built, 'README.md'));
const npm = process.env['npm_execpath'];
const [command, first] = npm ? [process.execPath, [npm]] : ['npm', []];
const output = execFileSync(
  command,
  [...first, 'pack', '--silent', '--pack-destination', join(root, 'dist'), built],
  { cwd: root, encoding: 'utf8' },
);
console.log(`Packed dist/${output.trim().split('\n').at(-1) ?? ''}.`);
