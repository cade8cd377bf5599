import { inspect, isDeepStrictEqual } from 'node:util';
import { camelName } from './setting-names.util.js';
import { valueSettings } from './settings.table.js';
import type { TaskQueueSettings } from './settings.types.js';
import { maskUrl } from './url.mask.js';

const HIDDEN = /API|TOKEN|KEY|SECRET|PASS|SIGNATURE|DATABASE/i;
const MASK = '********';

/** Options of {@link humanizeSettings}. */
export interface HumanizeOptions {
  /** Also list the settings that have their default. Default `false`. */
  readonly withDefaults?: boolean;
}

/**
 * The settings as text, one per line under Celery's names, without secrets: the value of a key
 * that contains API, TOKEN, KEY, SECRET, PASS, SIGNATURE or DATABASE is shown as `********`, and
 * passwords in URLs as `**`. Celery's `conf.humanize()`.
 */
export function humanizeSettings(
  settings: TaskQueueSettings,
  { withDefaults = false }: HumanizeOptions = {},
): string {
  return valueSettings()
    .map((row) => ({ row, value: settings[camelName(row.name) as keyof TaskQueueSettings] }))
    .filter(({ row, value }) => withDefaults || !isDeepStrictEqual(value, row.default))
    .map(({ row, value }) => {
      const shown = row.secret === true && value !== null ? MASK : censor(row.name, value);
      return `${row.name}: ${inspect(shown, { depth: 6, breakLength: Infinity })}`;
    })
    .join('\n');
}

function censor(key: string, value: unknown): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') {
    return value;
  }
  if (HIDDEN.test(key)) {
    return MASK;
  }
  if (typeof value === 'string') {
    return maskUrl(value);
  }
  if (Array.isArray(value)) {
    return value.map((item) => censor('', item));
  }
  return Object.prototype.toString.call(value) === '[object Object]'
    ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, censor(name, item)]))
    : value;
}
