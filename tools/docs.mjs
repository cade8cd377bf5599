// Writes the files that are made from the table of settings: the types and the documentation
// page. Node 20 cannot load TypeScript, so the sources are transpiled into a temporary folder,
// inside node_modules so that packages are found from there.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import ts from 'typescript';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, 'libs/task-queue/src/settings');

const cache = join(root, 'node_modules/.cache');
await mkdir(cache, { recursive: true });
const out = await mkdtemp(join(cache, 'docs-'));
try {
  await writeFile(join(out, 'package.json'), '{"type":"module"}');
  for (const file of await readdir(source, { recursive: true })) {
    if (file.endsWith('.ts') && !file.endsWith('.spec.ts')) {
      const { outputText } = ts.transpileModule(await readFile(join(source, file), 'utf8'), {
        fileName: file,
        compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
      });
      const target = join(out, file.replace(/\.ts$/, '.js'));
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, outputText);
    }
  }
  const load = (/** @type {string} */ name) => import(pathToFileURL(join(out, 'docs', name)).href);
  const { renderSettingsTypes } = await load('render-settings-types.js');
  const { renderSettingsPage } = await load('render-settings-page.js');
  const page = join(root, 'docs/settings.md');
  await mkdir(dirname(page), { recursive: true });
  await writeFile(join(source, 'settings.types.ts'), renderSettingsTypes());
  await writeFile(page, renderSettingsPage());
} finally {
  await rm(out, { recursive: true, force: true });
}
