import { describe, expect, it } from '@jest/globals';
import { camelName, envName, snakeName, spellName, splitKey } from './setting-names.util.js';
import { SETTINGS } from './settings.table.js';

describe('setting names', () => {
  it.each(SETTINGS.map((row) => row.name))('%s survives each spelling', (name) => {
    expect(snakeName(camelName(name))).toBe(name);
    expect(snakeName(name.toUpperCase())).toBe(name);
  });

  it('puts the namespace before a name, unless the name carries its prefix', () => {
    expect(envName('task_time_limit')).toBe('CELERY_TASK_TIME_LIMIT');
    expect(envName('task_time_limit', 'MYAPP')).toBe('MYAPP_TASK_TIME_LIMIT');
    expect(envName('celeryd_concurrency')).toBe('CELERYD_CONCURRENCY');
    expect(envName('django_celery_results')).toBe('DJANGO_CELERY_RESULTS');
  });

  it.each([
    ['CELERY_BROKER_URL', 'CELERY_TASK_ROUTES'],
    ['BROKER_URL', 'TASK_ROUTES'],
    ['celery_broker_url', 'celery_task_routes'],
    ['broker_url', 'task_routes'],
    ['brokerUrl', 'taskRoutes'],
  ])('spells another name in the style of %s', (key, expected) => {
    const { name, style } = splitKey(key, 'CELERY');
    expect(name).toBe('broker_url');
    expect(spellName('task_routes', style)).toBe(expected);
  });
});
