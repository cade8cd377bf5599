import { describe, expect, it } from '@jest/globals';
import { ConfigService } from '@nestjs/config';
import { effectiveTimeZone } from './settings.rules.js';
import { readSettingsFromConfig } from './settings.reader.js';

const URL = 'memory://';

describe('readSettingsFromConfig', () => {
  it('reads the object under the namespace, and the flat keys, which win', () => {
    const config = new ConfigService({
      CELERY: { BROKER_URL: 'redis://a', task_time_limit: 10, workerConcurrency: 2 },
      CELERY_BROKER_URL: URL,
      CELERY_TIME_LIMIT: '20',
    });
    const { settings } = readSettingsFromConfig(config, 'CELERY', {});
    expect(settings).toMatchObject({ brokerUrl: URL, taskTimeLimit: 20, workerConcurrency: 2 });
  });

  it('does not let an empty flat key hide the object', () => {
    const config = new ConfigService({ CELERY: { brokerUrl: URL }, CELERY_BROKER_URL: '' });
    expect(readSettingsFromConfig(config, 'CELERY', {}).settings.brokerUrl).toBe(URL);
  });

  it("reads Celery 3's names and those of the django-celery packages", () => {
    const config = new ConfigService({
      CELERY_BROKER_URL: URL,
      CELERYD_CONCURRENCY: '3',
      DJANGO_CELERY_BEAT_TZ_AWARE: 'true',
    });
    const { settings, warnings, notes } = readSettingsFromConfig(config, 'CELERY', {});
    expect(settings.workerConcurrency).toBe(3);
    expect(warnings).toHaveLength(1);
    expect(notes).toHaveLength(1);
  });

  it('stops at a misspelt variable of the environment', () => {
    const config = new ConfigService({ CELERY_BROKER_URL: URL });
    const env = { CELERY_TASK_TRACK_STARTD: '1' };
    expect(() => readSettingsFromConfig(config, 'CELERY', env)).toThrow(
      'CELERY_TASK_TRACK_STARTD is not a setting. Did you mean CELERY_TASK_TRACK_STARTED?',
    );
  });

  it("leaves alone the variables of tests, of Celery's programs and of others", () => {
    const config = new ConfigService({ CELERY_BROKER_URL: URL });
    const env = { CELERY_TEST_REDIS_URL: 'x', CELERY_APP: 'proj', CELERYD_NODES: 'w1', PATH: '/' };
    expect(readSettingsFromConfig(config, 'CELERY', env).settings.brokerUrl).toBe(URL);
  });

  it('reads another namespace, and nothing of CELERY then', () => {
    const config = new ConfigService({
      JOBS_BROKER_URL: URL,
      JOBS: { JOBS_WORKER_NAME: 'w' },
      CELERY_BROKER_URL: 'redis://other',
      CELERYD_CONCURRENCY: 3,
    });
    const { settings } = readSettingsFromConfig(config, 'JOBS', { CELERY_XYZ: '1' });
    expect(settings).toMatchObject({ brokerUrl: URL, workerName: 'w', workerConcurrency: null });
    expect(() => readSettingsFromConfig(config, 'JOBS', { JOBS_WORKER_NAM: 'w' })).toThrow(
      'Did you mean JOBS_WORKER_NAME?',
    );
  });

  it('refuses a namespace that is no object, without showing it', () => {
    const config = new ConfigService({ CELERY: 'redis://:hunter2@h' });
    expect(() => readSettingsFromConfig(config, 'CELERY', {})).toThrow(
      "under 'CELERY' must be an object of settings, as from registerAs('CELERY', () => ({ ... })), and is (a string)",
    );
  });

  it('names the setting that is missing in the style of the namespace', () => {
    expect(() => readSettingsFromConfig(new ConfigService({}), 'JOBS', {})).toThrow(
      'JOBS_BROKER_URL (brokerUrl in code) is missing',
    );
  });
});

describe('effectiveTimeZone', () => {
  it('is the setting, else UTC, else the zone of the machine', () => {
    expect(effectiveTimeZone({ timezone: 'Asia/Shanghai', enableUtc: true })).toBe('Asia/Shanghai');
    expect(effectiveTimeZone({ timezone: null, enableUtc: true })).toBe('UTC');
    expect(effectiveTimeZone({ timezone: null, enableUtc: false })).toBe(
      new Intl.DateTimeFormat('en').resolvedOptions().timeZone,
    );
  });
});
