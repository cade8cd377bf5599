import { describe, expect, it } from '@jest/globals';
import { humanizeSettings } from './settings.humanizer.js';
import { parseSettings } from './settings.parser.js';
import { valueSettings } from './settings.table.js';

const { settings } = parseSettings(
  {
    brokerUrl: 'sentinel://:hunter2@h1;sentinel://:hunter2@h2',
    resultBackend: 'redis://user:hunter2@host/1',
    brokerTransportOptions: { masterName: 'main', sentinelKwargs: { password: 'hunter2' } },
    brokerUseSsl: { key: 'hunter2', servername: 'host' },
    databaseUrl: 'hunter2',
    securityKey: 'hunter2',
    securityCertificate: 'hunter2',
    redisPassword: 'hunter2',
    taskTimeLimit: 1800,
  },
  { source: 'the test' },
);

describe('humanizeSettings', () => {
  it('lists what differs from the defaults, without secrets', () => {
    expect(humanizeSettings(settings).split('\n')).toEqual([
      'task_time_limit: 1800',
      "broker_url: 'sentinel://:**@h1;sentinel://:**@h2'",
      "broker_use_ssl: { key: '********', servername: 'host' }",
      "broker_transport_options: { masterName: 'main', sentinelKwargs: { password: '********' } }",
      "result_backend: 'redis://user:**@host/1'",
      "redis_password: '********'",
      "database_url: '********'",
      "security_key: '********'",
      "security_certificate: '********'",
    ]);
  });

  it('lists everything when asked', () => {
    const all = humanizeSettings(settings, { withDefaults: true });
    expect(all.split('\n')).toHaveLength(valueSettings().length);
    expect(all).toContain("task_default_queue: 'celery'");
    expect(all).not.toContain('hunter2');
  });
});
