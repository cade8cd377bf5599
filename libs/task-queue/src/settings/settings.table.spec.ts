import { describe, expect, it } from '@jest/globals';
import { readValue } from './readers/value.reader.js';
import {
  aliases,
  refusedSettings,
  resolveAlias,
  SETTINGS,
  valueSettings,
} from './settings.table.js';

/** The keys of Celery's own table, by their first word. */
const CELERY_KEYS: Readonly<Record<string, string>> = {
  '': 'accept_content result_accept_content enable_utc imports include timezone',
  beat: 'max_loop_interval schedule scheduler schedule_filename sync_every cron_starting_deadline',
  broker:
    'url read_url write_url transport transport_options connection_timeout connection_retry ' +
    'connection_retry_on_startup connection_max_retries channel_error_retry failover_strategy ' +
    'heartbeat heartbeat_checkrate login_method native_delayed_delivery_queue_type pool_limit ' +
    'pool_acquire_timeout use_ssl host port user password vhost',
  cache: 'backend backend_options',
  cassandra:
    'entry_ttl keyspace port read_consistency servers bundle_path table write_consistency ' +
    'auth_provider auth_kwargs options',
  s3: 'access_key_id secret_access_key bucket base_path endpoint_url region',
  azureblockblob:
    'container_name retry_initial_backoff_sec retry_increment_base retry_max_attempts base_path ' +
    'connection_timeout read_timeout',
  gcs: 'bucket project base_path ttl',
  control: 'queue_ttl queue_expires queue_exclusive queue_durable exchange',
  couchbase: 'backend_settings',
  arangodb: 'backend_settings',
  mongodb: 'backend_settings',
  cosmosdbsql:
    'database_name collection_name consistency_level max_retry_attempts max_retry_wait_time',
  event: 'queue_expires queue_ttl queue_prefix queue_exclusive queue_durable serializer exchange',
  redis:
    'backend_use_ssl db host max_connections username password port socket_timeout ' +
    'socket_connect_timeout retry_on_timeout socket_keepalive',
  result:
    'backend cache_max compression exchange exchange_type expires persistent extended serializer ' +
    'backend_transport_options chord_retry_interval chord_join_timeout ' +
    'backend_max_sleep_between_retries_ms backend_max_retries ' +
    'backend_base_sleep_between_retries_ms backend_always_retry',
  elasticsearch: 'retry_on_timeout max_retries timeout save_meta_as_text',
  security: 'certificate cert_store key key_password digest',
  database:
    'url engine_options engine_callback short_lived_sessions table_schemas table_names ' +
    'create_tables_at_setup',
  task:
    'acks_late acks_on_failure_or_timeout acks_on_failure acks_on_timeout always_eager annotations ' +
    'compression create_missing_queues create_missing_queue_type ' +
    'create_missing_queue_exchange_type inherit_parent_priority default_delivery_mode ' +
    'default_queue default_queue_type default_exchange default_exchange_type ' +
    'default_routing_key default_rate_limit default_priority eager_propagates ignore_result ' +
    'store_eager_result protocol publish_retry publish_retry_policy queues queue_max_priority ' +
    'reject_on_worker_lost remote_tracebacks routes send_sent_event serializer soft_time_limit ' +
    'time_limit store_errors_even_if_ignored track_started allow_error_cb_on_chord_header',
  worker:
    'agent autoscaler cancel_long_running_tasks_on_connection_loss soft_shutdown_timeout ' +
    'enable_soft_shutdown_on_idle concurrency consumer direct disable_rate_limits ' +
    'deduplicate_successful_tasks enable_remote_control hijack_root_logger log_color log_format ' +
    'lost_wait max_memory_per_child max_tasks_per_child pool pool_putlocks pool_restarts ' +
    'proc_alive_timeout prefetch_multiplier eta_task_limit enable_prefetch_count_reduction ' +
    'disable_prefetch redirect_stdouts redirect_stdouts_level send_task_events state_db ' +
    'task_log_format timer timer_precision detect_quorum_queues',
};

const DOCUMENTED_ELSEWHERE = [
  'override_backends',
  'result_backend_thread_safe',
  'redis_backend_health_check_interval',
  'redis_client_name',
  'redis_backend_credential_provider',
  ...['worker', 'beat', 'events'].flatMap((each) =>
    ['logfile', 'pidfile', 'uid', 'gid', 'umask', 'executable'].map((name) => `${each}_${name}`),
  ),
  'django_celery_beat_tz_aware',
  'django_celery_results',
  'django_celery_results_task_id_max_length',
  'django_celery_results_id_first_urls',
];

const celeryKeys = Object.entries(CELERY_KEYS).flatMap(([prefix, names]) =>
  names.split(' ').map((name) => (prefix === '' ? name : `${prefix}_${name}`)),
);

describe('the table of settings', () => {
  it("holds every key of Celery's table, of which there are 198", () => {
    const names = new Set([...valueSettings(), ...refusedSettings()].map((row) => row.name));
    expect(celeryKeys).toHaveLength(198);
    expect(celeryKeys.filter((name) => !names.has(name))).toEqual([]);
    expect(DOCUMENTED_ELSEWHERE.filter((name) => !names.has(name))).toEqual([]);
  });

  it("marks as ours exactly what is not Celery's", () => {
    const known = new Set([...celeryKeys, ...DOCUMENTED_ELSEWHERE, 'celeryd_force_execv']);
    known.add('send_task_error_emails');
    for (const row of [...valueSettings(), ...refusedSettings()]) {
      expect([row.name, row.origin === 'ours']).toEqual([row.name, !known.has(row.name)]);
    }
  });

  it('names each setting once', () => {
    const names = SETTINGS.map((row) => row.name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(names.filter((name) => !/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/.test(name))).toEqual([]);
  });

  it.each(valueSettings().map((row) => [row.name, row] as const))(
    '%s: the default reads back to itself',
    (_name, row) => {
      expect(readValue(row, row.default)).toEqual({ value: row.default });
    },
  );

  it('documents every value and every key of a dict', () => {
    const docs = valueSettings().flatMap((row) => [row, ...(row.shape?.fields ?? [])]);
    expect(docs.filter(({ doc }) => !/^\S.*\.$/.test(doc)).map((row) => row.name)).toEqual([]);
  });

  it('gives every duration its unit and its least value', () => {
    const durations = valueSettings().filter((row) => row.type === 'duration');
    const wrong = durations.filter((row) => row.unit !== 'seconds' || row.min === undefined);
    expect(wrong.map((row) => row.name)).toEqual([]);
  });

  it('explains every setting that is accepted without effect', () => {
    const accepted = valueSettings().filter((row) => row.status === 'accepted');
    const wrong = accepted.filter((row) => !row.built || !String(row.note).startsWith(row.name));
    expect(wrong.map((row) => row.name)).toEqual([]);
  });

  it('offers the default of every choice, and builds everything that is ours', () => {
    const rows = valueSettings();
    const choices = rows.filter((row) => row.choices?.includes(row.default as string) === false);
    const ours = rows.filter((row) => row.origin === 'ours' && !row.built);
    expect([...choices, ...ours].map((row) => row.name)).toEqual([]);
  });

  it.each(refusedSettings().map((row) => [row.name, row] as const))(
    '%s says why it is refused and what to do',
    (_name, row) => {
      expect(row.reason).toMatch(/\.$/);
      expect(row.instead).toMatch(/\.$/);
    },
  );

  it('gives every alias a target that is no alias', () => {
    for (const alias of aliases()) {
      expect(['honoured', 'accepted', 'refused']).toContain(resolveAlias(alias).status);
    }
  });
});
