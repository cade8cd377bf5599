import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { locateKey } from './setting-key.locator.js';
import { carriesPrefix, envName } from './setting-names.util.js';
import { parseSettings, type ParsedSettings } from './settings.parser.js';
import { SETTINGS } from './settings.table.js';
import { describeValue } from './value.describer.js';

/** The part of Nest's `ConfigService` that is needed. */
export interface ConfigSource {
  get(key: string): unknown;
}

/** Variables that Celery's own programs and scripts read. They are no settings. */
const FOREIGN_VARIABLES = new Set([
  'CELERY_APP',
  'CELERY_BIN',
  'CELERY_CONFIG_MODULE',
  'CELERY_CREATE_DIRS',
  'CELERY_CREATE_LOGDIR',
  'CELERY_CREATE_RUNDIR',
  'CELERY_LOADER',
  'CELERY_RDB_HOST',
  'CELERY_RDB_PORT',
  'CELERY_SKIP_CHECKS',
  'CELERY_TRACE_APP',
]);

/**
 * Reads the settings of an application from its configuration, as Celery does with Django's
 * settings and a namespace: first the object under the namespace (`registerAs('CELERY', ...)`),
 * then each flat `CELERY_<NAME>` key, which wins. Flat keys of the environment that are no
 * setting are errors; `CELERY_TEST_*` is left to tests.
 *
 * @param namespace - Default `CELERY`.
 * @param env - Where misspelt flat keys are looked for. Default `process.env`, which is where
 *   `ConfigModule` puts the values of `.env` files.
 * @throws ImproperlyConfigured when anything is wrong. It lists everything that is.
 */
export function readSettingsFromConfig(
  config: ConfigSource,
  namespace = 'CELERY',
  env: Readonly<Record<string, string | undefined>> = process.env,
): ParsedSettings {
  const raw = collectSettings(config, namespace, env);
  return parseSettings(raw, { source: `the ${namespace} configuration`, namespace });
}

/** What {@link readSettingsFromConfig} reads, before it is parsed. */
export function collectSettings(
  config: ConfigSource,
  namespace = 'CELERY',
  env: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, unknown> {
  const flat = flatSettings(config, namespace, env);
  const flatTargets = new Set(
    Object.keys(flat).map((key) => locateKey(key, namespace)?.target.name),
  );
  const kept = Object.entries(settingsObject(config, namespace)).filter(([key]) => {
    const target = locateKey(key, namespace)?.target.name;
    return target === undefined || !flatTargets.has(target);
  });
  return { ...Object.fromEntries(kept), ...flat };
}

function settingsObject(config: ConfigSource, namespace: string): object {
  const value = config.get(namespace);
  if (value === undefined || value === null || value === '') {
    return {};
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new ImproperlyConfigured(
      `The configuration under '${namespace}' must be an object of settings, as from ` +
        `registerAs('${namespace}', () => ({ ... })), and is ${describeValue(value, true)}.`,
    );
  }
  return value;
}

function flatSettings(
  config: ConfigSource,
  namespace: string,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const { name } of SETTINGS) {
    if (namespace !== 'CELERY' && carriesPrefix(name)) {
      continue;
    }
    const key = envName(name, namespace);
    const value = config.get(key);
    if (value !== undefined && value !== '') {
      flat[key] = value;
    }
  }
  for (const [key, value] of Object.entries(env)) {
    if (isMisspelt(key, namespace)) {
      flat[key] = value;
    }
  }
  return flat;
}

function isMisspelt(key: string, namespace: string): boolean {
  return (
    key.startsWith(`${namespace}_`) &&
    !key.startsWith(`${namespace}_TEST_`) &&
    !FOREIGN_VARIABLES.has(key) &&
    locateKey(key, namespace) === undefined
  );
}
