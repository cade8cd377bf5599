import { parseEnv } from 'node:util';

import { envName, parseSettings, SETTINGS } from '../../libs/task-queue/src/settings/index.js';

/**
 * Checks an `ini` block, which is a `.env` file: that its `CELERY_*` settings are accepted, and
 * without a warning.
 *
 * @returns One sentence for each fault.
 */
export function settingsFaults(text: string): string[] {
  const settings = Object.entries(parseEnv(text)).filter(([key]) => key.startsWith('CELERY'));
  try {
    const { warnings } = parseSettings(
      { CELERY_BROKER_URL: 'memory://', ...Object.fromEntries(settings) },
      { source: 'the page' },
    );
    return [...warnings];
  } catch (error) {
    return [(error as Error).message];
  }
}

const KNOWN: ReadonlySet<string> = new Set(SETTINGS.map(({ name }) => envName(name)));
/** Variables of the tests. */
const TESTS = 'CELERY_TEST_';

/**
 * The names of settings in a text that are not in the table; refused names and aliases are. One
 * that ends with an underscore, as of `CELERY_WORKER_*`, stands for all that begin so.
 */
export function unknownSettings(text: string): string[] {
  const names = text.match(/\b(?:CELERY|CELERYD|CELERYBEAT)_[A-Z\d_]*/g) ?? [];
  return names.filter((name) =>
    name.endsWith('_')
      ? ![...KNOWN, TESTS].some((known) => known.startsWith(name))
      : !KNOWN.has(name) && !name.startsWith(TESTS),
  );
}
