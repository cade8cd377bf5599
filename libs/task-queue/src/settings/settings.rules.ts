import { BROKER_URL_FORM } from './readers/broker-url.reader.js';
import type { TaskQueueSettings } from './settings.types.js';
import { describeValue } from './value.describer.js';

/** What the rules between settings have to say. */
export interface Verdict {
  readonly settings: TaskQueueSettings;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Applies the rules that concern more than one setting.
 *
 * @param failed - Names of settings whose value was wrong; they hold their default here.
 * @param spell - The name of a setting as the user would write it.
 */
export function applyRules(
  settings: TaskQueueSettings,
  failed: ReadonlySet<string>,
  spell: (name: string) => string,
): Verdict {
  const problems: string[] = [];
  const warnings: string[] = [];
  if (settings.brokerUrl === null && !settings.taskAlwaysEager && !failed.has('broker_url')) {
    problems.push(`${spell('broker_url')} is missing: ${BROKER_URL_FORM}.`);
  }
  if (settings.brokerLeaseCheckInterval >= settings.brokerLeaseDuration) {
    problems.push(
      `${spell('broker_lease_check_interval')} (${settings.brokerLeaseCheckInterval} s) must be ` +
        `less than ${spell('broker_lease_duration')} (${settings.brokerLeaseDuration} s).`,
    );
  }
  const { taskTimeLimit, taskSoftTimeLimit } = settings;
  if (taskTimeLimit !== null && taskSoftTimeLimit !== null && taskSoftTimeLimit >= taskTimeLimit) {
    warnings.push(
      `${spell('task_soft_time_limit')} (${taskSoftTimeLimit} s) is not below ` +
        `${spell('task_time_limit')} (${taskTimeLimit} s), so it never comes into play.`,
    );
  }
  const store = decideResultStore(settings, spell);
  return {
    settings: { ...settings, resultBackend: store.resultBackend },
    problems:
      store.problem === undefined || failed.has('result_backend')
        ? problems
        : [...problems, store.problem],
    warnings: store.warning === undefined ? warnings : [...warnings, store.warning],
    notes: store.note === undefined ? [] : [store.note],
  };
}

/**
 * The time zone of schedules: `timezone`, else UTC, or the zone of the machine when
 * `enable_utc` is false.
 */
export function effectiveTimeZone(
  settings: Pick<TaskQueueSettings, 'timezone' | 'enableUtc'>,
): string {
  const local = (): string => new Intl.DateTimeFormat('en').resolvedOptions().timeZone;
  return settings.timezone ?? (settings.enableUtc ? 'UTC' : local());
}

interface ResultStore {
  readonly resultBackend: string | null;
  readonly problem?: string;
  readonly warning?: string;
  readonly note?: string;
}

/** `cache_backend` set alone means the cache, as the documents of django-celery-results have it. */
function decideResultStore(
  { resultBackend, cacheBackend }: TaskQueueSettings,
  spell: (name: string) => string,
): ResultStore {
  if (cacheBackend === null) {
    return { resultBackend };
  }
  if (resultBackend !== null && resultBackend !== 'cache') {
    const note = `${spell('cache_backend')} has no effect, because ${spell('result_backend')} is set.`;
    return { resultBackend, note };
  }
  if (cacheBackend !== 'default' && cacheBackend !== 'django-cache') {
    return {
      resultBackend,
      problem:
        `${spell('cache_backend')}=${describeValue(cacheBackend)} names a cache that is not ` +
        "known: write 'default', the cache of the application (CacheModule).",
    };
  }
  return resultBackend === 'cache'
    ? { resultBackend }
    : {
        resultBackend: 'cache',
        warning:
          `${spell('cache_backend')} alone is taken to mean that results go to the cache: ` +
          `set ${spell('result_backend')} to 'cache' instead.`,
      };
}
