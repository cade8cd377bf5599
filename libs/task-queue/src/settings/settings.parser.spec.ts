import { describe, expect, it } from '@jest/globals';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { parseSettings, type ParsedSettings } from './settings.parser.js';
import type { TaskQueueSettingsInput } from './settings.types.js';

const BROKER = { brokerUrl: 'memory://' };

function parse(raw: Record<string, unknown>): ParsedSettings {
  return parseSettings(raw, { source: 'the test' });
}

function problemsOf(raw: Record<string, unknown>): string {
  try {
    parse(raw);
  } catch (error) {
    if (error instanceof ImproperlyConfigured) {
      return error.message;
    }
    throw error;
  }
  throw new Error('No error was thrown.');
}

describe('the settings of the seed documents', () => {
  it('parse as the first one writes them', () => {
    const { settings, warnings, notes } = parse({
      CELERY_TASK_TRACK_STARTED: true,
      CELERY_TASK_TIME_LIMIT: 30 * 60,
      CELERY_SOFT_TIME_LIMIT: 25 * 60,
      CELERY_TIMEZONE: 'Asia/Shanghai',
      CELERY_BROKER_URL: 'redis://192.168.255.181:6379/0',
      CELERY_RESULT_BACKEND: 'redis://192.168.255.181:6379/1',
      CELERY_TASK_IGNORE_RESULT: false,
    });
    expect(settings).toMatchObject({
      taskTrackStarted: true,
      taskTimeLimit: 1800,
      taskSoftTimeLimit: 1500,
      timezone: 'Asia/Shanghai',
      brokerUrl: 'redis://192.168.255.181:6379/0',
      resultBackend: 'redis://192.168.255.181:6379/1',
      taskIgnoreResult: false,
    });
    const soft = warnings.filter((warning) => warning.includes('SOFT_TIME_LIMIT'));
    expect(soft).toEqual([
      expect.stringMatching(
        /^CELERY_SOFT_TIME_LIMIT is another name of CELERY_TASK_SOFT_TIME_LIMIT/,
      ),
    ]);
    expect(notes).toEqual([]);
  });

  it('parse from strings, as a .env file gives them', () => {
    const { settings } = parse({
      CELERY_TASK_TRACK_STARTED: 'True',
      CELERY_TASK_TIME_LIMIT: '1800',
      CELERY_SOFT_TIME_LIMIT: '25m',
      CELERY_BROKER_URL: 'redis://localhost:6379/0',
      CELERY_TASK_IGNORE_RESULT: 'False',
    });
    expect(settings).toMatchObject({
      taskTrackStarted: true,
      taskTimeLimit: 1800,
      taskSoftTimeLimit: 1500,
      taskIgnoreResult: false,
    });
  });

  it("say what to use instead of the second one's django-db", () => {
    expect(problemsOf({ ...BROKER, CELERY_RESULT_BACKEND: 'django-db' })).toMatch(
      /CELERY_RESULT_BACKEND='django-db' asks for the SQL result backend.*use redis:/,
    );
  });

  it("take the second one's django-cache", () => {
    const { settings, warnings } = parse({
      CELERY_BROKER_URL: 'memory://',
      CELERY_CACHE_BACKEND: 'django-cache',
    });
    expect(settings.resultBackend).toBe('cache');
    expect(warnings).toEqual([
      "CELERY_CACHE_BACKEND alone is taken to mean that results go to the cache: set CELERY_RESULT_BACKEND to 'cache' instead.",
    ]);
  });
});

describe('parseSettings', () => {
  it('fills in the defaults and freezes', () => {
    const { settings, warnings, notes } = parse(BROKER);
    expect(settings).toMatchObject({
      acceptContent: ['json'],
      brokerLeaseDuration: 30,
      resultBackend: null,
      resultExpires: 86_400,
      taskDefaultQueue: 'celery',
      taskPublishRetryPolicy: {
        maxRetries: 3,
        intervalStart: 0,
        intervalStep: 0.2,
        intervalMax: 1,
      },
      taskTimeLimit: null,
      workerConcurrency: null,
      workerPool: 'async',
    });
    expect(Object.isFrozen(settings)).toBe(true);
    expect([warnings, notes]).toEqual([[], []]);
  });

  it.each(['CELERY_WORKER_CONCURRENCY', 'WORKER_CONCURRENCY', 'worker_concurrency'])(
    'reads %s',
    (key) => {
      expect(parse({ ...BROKER, [key]: '8' }).settings.workerConcurrency).toBe(8);
    },
  );

  it('reads camelCase with the types of forRoot', () => {
    const input: TaskQueueSettingsInput = {
      brokerUrl: ['sentinel://a', 'sentinel://b'],
      brokerTransportOptions: { masterName: 'main', socketTimeout: '5s' },
      resultExpires: '2h',
      taskQueues: ['high', { name: 'low' }],
      taskRoutes: [{ 'mail.*': 'high' }, () => null],
      taskPublishRetryPolicy: { maxRetries: 5 },
      workerConcurrency: 8,
    };
    expect(parse({ ...input }).settings).toMatchObject({
      brokerUrl: 'sentinel://a;sentinel://b',
      brokerTransportOptions: { masterName: 'main', socketTimeout: 5 },
      resultExpires: 7200,
      taskQueues: [{ name: 'high' }, { name: 'low' }],
      taskPublishRetryPolicy: { maxRetries: 5, intervalMax: 1 },
      workerConcurrency: 8,
    });
  });

  it('takes undefined and the empty string as not set', () => {
    expect(parse({ ...BROKER, CELERY_RESULT_EXPIRES: '', timezone: undefined }).settings).toEqual(
      parse(BROKER).settings,
    );
  });

  it.each([0, '0', null, 'none'])('keeps results for ever with result_expires %p', (value) => {
    expect(parse({ ...BROKER, result_expires: value }).settings.resultExpires).toBeNull();
  });

  it('lists every problem at once, with the name as it was written', () => {
    const message = problemsOf({
      ...BROKER,
      CELERY_TASK_TIME_LIMIT: 'abc',
      CELERY_WORKER_CONCURENCY: 4,
      taskProtocol: 2,
      accept_content: ['json', 'pickle'],
    });
    expect(message).toMatch(/^The task queue settings \(from the test\) have 4 problems:\n/);
    expect(message).toMatch(
      /- CELERY_TASK_TIME_LIMIT='abc' is not a duration of at least 0: write/,
    );
    expect(message).toMatch(
      /- CELERY_WORKER_CONCURENCY is not a setting\. Did you mean CELERY_WORKER_CONCURRENCY\?/,
    );
    expect(message).toMatch(/- taskProtocol is not supported\. It selects a version.*Leave it out/);
    expect(message).toMatch(/- accept_content=\(an array\) asks for 'pickle'.*Use 'json'/);
  });

  it.each([
    ['workerConcurency', 'workerConcurrency'],
    ['task_rotes', 'task_routes'],
    ['BROKER_ULR', 'BROKER_URL'],
    ['CELERY_SOFT_TIME_LIMT', 'CELERY_TASK_SOFT_TIME_LIMIT'],
  ])('for %s suggests %s', (key, suggestion) => {
    expect(problemsOf({ ...BROKER, [key]: 1 })).toContain(
      `${key} is not a setting. Did you mean ${suggestion}?`,
    );
  });

  it('suggests nothing for a key that is like no setting', () => {
    expect(problemsOf({ ...BROKER, CELERY_XYZZY: 1 })).toMatch(
      /CELERY_XYZZY is not a setting: remove/,
    );
  });

  it('refuses one setting in two spellings with different values', () => {
    expect(problemsOf({ ...BROKER, CELERY_TASK_TIME_LIMIT: 10, taskTimeLimit: 20 })).toMatch(
      /CELERY_TASK_TIME_LIMIT and taskTimeLimit are the same setting and have different values/,
    );
    expect(problemsOf({ ...BROKER, time_limit: 10, task_time_limit: 20 })).toMatch(
      /keep task_time_limit and remove the other/,
    );
    expect(
      parse({ ...BROKER, CELERY_TASK_TIME_LIMIT: '15m', taskTimeLimit: 900 }).settings
        .taskTimeLimit,
    ).toBe(900);
  });

  it.each([
    ['CELERYD_CONCURRENCY', '4', 'workerConcurrency', 4, 'WORKER_CONCURRENCY'],
    ['CELERY_TASK_RESULT_EXPIRES', '1h', 'resultExpires', 3600, 'CELERY_RESULT_EXPIRES'],
    ['CELERY_ALWAYS_EAGER', 'true', 'taskAlwaysEager', true, 'CELERY_TASK_ALWAYS_EAGER'],
    ['worker_loglevel', 'DEBUG', 'workerLogLevel', 'debug', 'worker_log_level'],
  ] as const)('reads %s with one warning', (key, raw, camel, value, target) => {
    const { settings, warnings } = parse({ ...BROKER, [key]: raw });
    expect(settings[camel]).toBe(value);
    expect(warnings).toEqual([`${key} is another name of ${target}: write that instead.`]);
  });

  it('reports an alias of a refused setting', () => {
    expect(problemsOf({ ...BROKER, CELERY_DEFAULT_EXCHANGE: 'x' })).toMatch(
      /CELERY_DEFAULT_EXCHANGE is not supported\. It belongs to AMQP/,
    );
  });

  it('warns of a setting that is not built, unless it has its default', () => {
    expect(parse({ ...BROKER, workerSendTaskEvents: true }).warnings).toEqual([
      'workerSendTaskEvents has no effect in this version: it is a known setting, and is not built yet.',
    ]);
    expect(parse({ ...BROKER, workerSendTaskEvents: 'false' }).warnings).toEqual([]);
  });

  it('notes what has nothing to do here', () => {
    const { notes } = parse({
      ...BROKER,
      CELERY_IMPORTS: 'a.tasks,b.tasks',
      worker_prefetch_multiplier: 1,
      brokerTransportOptions: { visibility_timeout: 3600, global_keyprefix: 'x' },
    });
    expect(notes).toEqual([
      expect.stringMatching(/^CELERY_IMPORTS has no effect here: every provider/),
      expect.stringMatching(
        /^worker_prefetch_multiplier has no effect here.*nothing is prefetched/,
      ),
      expect.stringMatching(
        /visibility_timeout \(there is no visibility timeout.*broker_lease_dur/,
      ),
    ]);
  });

  it('shows no secrets in its errors', () => {
    const message = problemsOf({
      CELERY_BROKER_URL: 'amqp://guest:hunter2@host//',
      CELERY_RESULT_BACKEND: 'db+mysql://u:hunter2@h/db',
      CELERY_TASK_TIME_LIMIT: 'redis://:hunter2@h',
      CELERY_SECURITY_KEY: 5,
      CELERY_BROKER_PASSWORD: 'hunter2',
    });
    expect(message).not.toContain('hunter2');
    expect(message).toContain(
      "CELERY_BROKER_URL='amqp://guest:**@host//' asks for the broker 'amqp'",
    );
    expect(message).toContain('CELERY_SECURITY_KEY=(a number) is not a string.');
    expect(message).not.toContain('CELERY_BROKER_URL is missing');
  });

  it('demands a broker, unless tasks are eager', () => {
    expect(problemsOf({})).toMatch(
      /CELERY_BROKER_URL \(brokerUrl in code\) is missing: write for example redis:\/\/.*postgresql:\/\/.*memory:\/\//,
    );
    expect(parse({ taskAlwaysEager: true }).settings.brokerUrl).toBeNull();
  });

  it.each([
    ['gevent', 'async', 1],
    ['ASYNC', 'async', 0],
  ])('reads worker_pool %s', (raw, value, warned) => {
    const { settings, warnings } = parse({ ...BROKER, workerPool: raw });
    expect(settings.workerPool).toBe(value);
    expect(warnings).toHaveLength(warned);
  });

  it.each([['turbo', /is not a pool: write 'async'/]])('refuses worker_pool %s', (raw, problem) => {
    expect(problemsOf({ ...BROKER, workerPool: raw })).toMatch(problem);
  });

  it.each([
    ['worker_log_format', 'celery', 'celery'],
    ['worker_log_format', 'JSON', 'json'],
    ['worker_log_format', '%(levelname)s %(message)s', '%(levelname)s %(message)s'],
    ['timezone', 'Europe/Paris', 'Europe/Paris'],
    ['broker_use_ssl', 'true', true],
    ['broker_use_ssl', { rejectUnauthorized: false }, { rejectUnauthorized: false }],
    ['result_serializer', 'application/json', 'json'],
    ['broker_connection_max_retries', '0', null],
  ])('reads %s=%j', (name, raw, value) => {
    const { settings } = parse({ ...BROKER, [name]: raw });
    expect(Object.values(settings)).toContainEqual(value);
  });

  it.each([
    ['worker_log_format', 'pretty', /is not a log format/],
    ['timezone', 'Shanghai', /is not an IANA time zone/],
    ['timezone', '+08:00', /is not an IANA time zone/],
    ['broker_use_ssl', { ssl_ca_certs: 'x' }, /'ssl_ca_certs', an option of Python/],
    ['broker_use_ssl', 'maybe', /neither a boolean nor TLS options/],
    ['task_serializer', 'pickle', /runs code that comes with the message/],
    ['task_serializer', 'yaml', /can build arbitrary objects/],
    ['accept_content', [], /is not a list of content types/],
    ['result_known_errors', 'PaymentError', /set it in code/],
    ['cache_backend', 'memcached://h', /names a cache that is not known/],
    ['broker_lease_check_interval', 30, /must be less than broker_lease_duration/],
    ['worker_concurrency', 0, /whole number of at least 1/],
  ])('refuses %s=%j', (name, raw, problem) => {
    expect(problemsOf({ broker_url: 'memory://', [name]: raw })).toMatch(problem);
  });

  it('warns of a soft limit that is not below the hard one', () => {
    const { warnings } = parse({ ...BROKER, taskSoftTimeLimit: 20, taskTimeLimit: 10 });
    expect(warnings.at(-1)).toMatch(
      /taskSoftTimeLimit \(20 s\) is not below taskTimeLimit \(10 s\)/,
    );
  });

  it.each([
    ['cache', 'cache', 0],
    ['django-cache', 'cache', 0],
    ['redis://h/1', 'redis://h/1', 1],
  ])('with result_backend %s leaves cache_backend aside', (raw, value, noted) => {
    const { settings, notes } = parse({ ...BROKER, resultBackend: raw, cacheBackend: 'default' });
    expect(settings.resultBackend).toBe(value);
    expect(notes).toEqual(
      Array(noted).fill('cacheBackend has no effect, because resultBackend is set.'),
    );
  });

  it('keeps error classes as they are', () => {
    class PaymentError extends Error {}
    const { settings } = parse({ ...BROKER, resultKnownErrors: [PaymentError] });
    expect(settings.resultKnownErrors).toEqual([PaymentError]);
  });
});
