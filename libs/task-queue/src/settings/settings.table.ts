import type {
  AliasSetting,
  RefusedSetting,
  SettingDefinition,
  ValueSetting,
} from './setting-definition.interface.js';
import { aliasSettings } from './table/alias.settings.js';
import { BEAT_SETTINGS } from './table/beat.settings.js';
import { BROKER_SETTINGS } from './table/broker.settings.js';
import { EVENT_SETTINGS, SECURITY_SETTINGS } from './table/event.settings.js';
import { GENERAL_SETTINGS } from './table/general.settings.js';
import { REFUSED_SETTINGS } from './table/refused.settings.js';
import { RESULT_SETTINGS } from './table/result.settings.js';
import { RESULT_STORE_SETTINGS } from './table/result-store.settings.js';
import { ROUTING_SETTINGS } from './table/routing.settings.js';
import { TASK_SETTINGS } from './table/task.settings.js';
import { WORKER_LOG_SETTINGS } from './table/worker-log.settings.js';
import { WORKER_SETTINGS } from './table/worker.settings.js';

const VALUE_SETTINGS: readonly ValueSetting[] = [
  ...GENERAL_SETTINGS,
  ...TASK_SETTINGS,
  ...ROUTING_SETTINGS,
  ...BROKER_SETTINGS,
  ...RESULT_SETTINGS,
  ...RESULT_STORE_SETTINGS,
  ...WORKER_SETTINGS,
  ...WORKER_LOG_SETTINGS,
  ...BEAT_SETTINGS,
  ...EVENT_SETTINGS,
  ...SECURITY_SETTINGS,
];

const CANONICAL = new Map<string, ValueSetting | RefusedSetting>(
  [...VALUE_SETTINGS, ...REFUSED_SETTINGS].map((row) => [row.name, row]),
);

const ALIASES = aliasSettings((target) => settingNamed(target).group);

/**
 * The one table of settings. The schema, the parsing of the environment, the TypeScript types
 * and the documentation page come from it.
 */
export const SETTINGS: readonly SettingDefinition[] = Object.freeze([
  ...CANONICAL.values(),
  ...ALIASES,
]);

const BY_NAME: ReadonlyMap<string, SettingDefinition> = new Map(
  SETTINGS.map((row) => [row.name, row]),
);

/** The row of `name` (lower_snake), aliases included. */
export function findSetting(name: string): SettingDefinition | undefined {
  return BY_NAME.get(name);
}

/** The row that an alias stands for; any other row itself. */
export function resolveAlias(row: SettingDefinition): ValueSetting | RefusedSetting {
  return row.status === 'alias' ? settingNamed(row.target) : row;
}

/** The settings that take a value. */
export function valueSettings(): readonly ValueSetting[] {
  return VALUE_SETTINGS;
}

/** The settings that are refused. */
export function refusedSettings(): readonly RefusedSetting[] {
  return REFUSED_SETTINGS;
}

/** The aliases. */
export function aliases(): readonly AliasSetting[] {
  return ALIASES;
}

function settingNamed(name: string): ValueSetting | RefusedSetting {
  const row = CANONICAL.get(name);
  if (row === undefined) {
    throw new RangeError(`The table of settings has no row '${name}'.`);
  }
  return row;
}
