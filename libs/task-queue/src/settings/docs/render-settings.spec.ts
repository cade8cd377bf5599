import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { envName } from '../setting-names.util.js';
import { SETTINGS } from '../settings.table.js';
import { renderSettingsPage } from './render-settings-page.js';
import { renderSettingsTypes } from './render-settings-types.js';

// The tests run from the root of the repository, as `npm test` starts them.
const committed = (path: string): Promise<string> => readFile(join(process.cwd(), path), 'utf8');

describe('the files made from the table of settings', () => {
  it('are up to date (else run npm run docs)', async () => {
    expect(await committed('libs/task-queue/src/settings/settings.types.ts')).toBe(
      renderSettingsTypes(),
    );
    expect(await committed('docs/settings.md')).toBe(renderSettingsPage());
  });

  it('the page names every setting', () => {
    const page = renderSettingsPage();
    const missing = SETTINGS.filter(
      ({ name, status }) =>
        !page.includes(
          status === 'honoured' || status === 'accepted'
            ? `\n### ${envName(name)}\n`
            : `\n| \`${envName(name)}\` |`,
        ),
    );
    expect(missing.map((row) => row.name)).toEqual([]);
  });
});
