/** How a user spells the names of settings. */
export interface NameStyle {
  readonly case: 'upper' | 'lower' | 'camel';
  /** Such as `CELERY_`; empty without a prefix. */
  readonly prefix: string;
}

/** `task_time_limit` to `taskTimeLimit`. */
export function camelName(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `taskTimeLimit`, `TASK_TIME_LIMIT` and `task_time_limit` to `task_time_limit`. */
export function snakeName(key: string): string {
  return key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
}

/**
 * The environment variable of a setting: `CELERY_` and the name in upper case. The settings of
 * the django-celery packages and the oldest names (`CELERYD_...`) carry their prefix already.
 */
export function envName(name: string, namespace = 'CELERY'): string {
  return carriesPrefix(name) ? name.toUpperCase() : `${namespace}_${name.toUpperCase()}`;
}

/** Whether the name is written without the namespace in front, in Celery and in Django. */
export function carriesPrefix(name: string): boolean {
  return /^(?:django_|celery(?:d|beat)_)/.test(name);
}

/** `key` in lower_snake without the prefix, and how it was spelled. */
export function splitKey(key: string, namespace: string): { name: string; style: NameStyle } {
  const snake = snakeName(key);
  const prefix = [`${snakeName(namespace)}_`, 'celery_'].find((each) => snake.startsWith(each));
  const styleCase = /[a-z]/.test(key) ? (/[A-Z]/.test(key) ? 'camel' : 'lower') : 'upper';
  return {
    name: prefix === undefined ? snake : snake.slice(prefix.length),
    style: { case: styleCase, prefix: prefix ?? '' },
  };
}

/** The canonical `name` in the style in which the user spelled another one. */
export function spellName(name: string, style: NameStyle): string {
  if (style.case === 'camel' || (style.case === 'lower' && style.prefix === '')) {
    return style.case === 'camel' ? camelName(name) : name;
  }
  const full = carriesPrefix(name) ? name : style.prefix + name;
  return style.case === 'upper' ? full.toUpperCase() : full;
}
