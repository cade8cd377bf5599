import type { RefusedSetting, SettingGroup } from '../setting-definition.interface.js';

interface Refusal {
  readonly group: SettingGroup;
  readonly names: readonly string[];
  readonly reason: string;
  readonly instead: string;
}

const NO_EXCHANGES = 'It belongs to AMQP, and there are no exchanges here.';
const NO_CONTROL_QUEUE =
  'It belongs to AMQP: commands and events do not travel through queues here.';
const RESULT_STORES =
  "Keep results in Redis (result_backend 'redis://host:6379/1'), in the cache ('cache'), or with " +
  'the broker (unset).';

const REFUSALS: readonly Refusal[] = [
  {
    group: 'Routing and publishing',
    names: ['task_default_exchange', 'task_default_exchange_type', 'task_default_routing_key'],
    reason: NO_EXCHANGES,
    instead: 'Name the queue in task_default_queue and in task_routes.',
  },
  {
    group: 'Routing and publishing',
    names: ['task_default_delivery_mode'],
    reason: 'It belongs to AMQP: tasks are always stored durably here.',
    instead: 'Leave it out; how durable they are is set in Redis (appendonly) or PostgreSQL.',
  },
  {
    group: 'Routing and publishing',
    names: [
      'task_default_queue_type',
      'task_create_missing_queue_type',
      'task_create_missing_queue_exchange_type',
    ],
    reason: 'It belongs to AMQP: there is one type of queue here.',
    instead: 'Leave it out; missing queues are governed by task_create_missing_queues.',
  },
  {
    group: 'Routing and publishing',
    names: ['task_protocol'],
    reason: "It selects a version of Celery's message format, and messages have another one here.",
    instead: 'Leave it out.',
  },
  {
    group: 'Broker',
    names: ['broker_transport'],
    reason: 'The scheme of the URL selects the driver.',
    instead: "Set broker_url, for example 'redis://localhost:6379/0'.",
  },
  {
    group: 'Broker',
    names: ['broker_host', 'broker_port', 'broker_user', 'broker_password', 'broker_vhost'],
    reason: 'The broker is described by one URL.',
    instead: "Set broker_url, for example 'redis://user:password@host:6379/0'.",
  },
  {
    group: 'Broker',
    names: ['broker_login_method', 'broker_heartbeat', 'broker_heartbeat_checkrate'],
    reason: 'It belongs to AMQP.',
    instead:
      'Leave it out; socket_keepalive in broker_transport_options and broker_lease_duration find ' +
      'dead connections and workers.',
  },
  {
    group: 'Broker',
    names: ['broker_channel_error_retry', 'broker_native_delayed_delivery_queue_type'],
    reason: 'It belongs to AMQP: there are no channels, and delayed tasks wait in the store.',
    instead: 'Leave it out; broker_connection_retry governs how a worker connects again.',
  },
  {
    group: 'Results',
    names: ['result_exchange', 'result_exchange_type', 'result_persistent'],
    reason: 'It belongs to results as AMQP messages, which are not supported.',
    instead: RESULT_STORES,
  },
  {
    group: 'Results',
    names: ['result_chord_retry_interval'],
    reason: 'A chord is not polled: its body is released with the last result of its header.',
    instead: 'Leave it out.',
  },
  {
    group: 'Results',
    names: [
      ...prefixed('cassandra', [
        'entry_ttl',
        'keyspace',
        'port',
        'read_consistency',
        'write_consistency',
        'servers',
        'bundle_path',
        'table',
        'auth_provider',
        'auth_kwargs',
        'options',
      ]),
      ...prefixed('s3', [
        'access_key_id',
        'secret_access_key',
        'bucket',
        'base_path',
        'endpoint_url',
        'region',
      ]),
      ...prefixed('azureblockblob', [
        'container_name',
        'retry_initial_backoff_sec',
        'retry_increment_base',
        'retry_max_attempts',
        'base_path',
        'connection_timeout',
        'read_timeout',
      ]),
      ...prefixed('gcs', ['bucket', 'project', 'base_path', 'ttl']),
      'couchbase_backend_settings',
      'arangodb_backend_settings',
      'mongodb_backend_settings',
      ...prefixed('cosmosdbsql', [
        'database_name',
        'collection_name',
        'consistency_level',
        'max_retry_attempts',
        'max_retry_wait_time',
      ]),
      ...prefixed('elasticsearch', [
        'retry_on_timeout',
        'max_retries',
        'timeout',
        'save_meta_as_text',
      ]),
    ],
    reason: 'Results cannot be kept in that store.',
    instead: RESULT_STORES,
  },
  {
    group: 'Results',
    names: ['django_celery_results_id_first_urls'],
    reason: "It orders the parts of Django's URLs, which do not exist here.",
    instead: 'Leave it out.',
  },
  {
    group: 'Worker',
    names: ['worker_agent', 'worker_consumer', 'worker_timer'],
    reason: 'It names a class of Python to put into the worker.',
    instead: 'Leave it out; interceptors, guards and filters of Nest work on tasks.',
  },
  {
    group: 'Worker',
    names: ['worker_pool_putlocks'],
    reason: "It belongs to the inside of Celery's process pool.",
    instead: 'Leave it out; worker_concurrency sets how much a worker takes on.',
  },
  {
    group: 'Worker',
    names: ['worker_detect_quorum_queues'],
    reason: 'It belongs to RabbitMQ.',
    instead: 'Leave it out.',
  },
  {
    group: 'Worker',
    names: ['worker_executable', 'celeryd_force_execv'],
    reason: 'It says how a Python process is started.',
    instead: 'Leave it out, and start the worker with node, systemd or a container.',
  },
  {
    group: 'Beat',
    names: ['beat_executable'],
    reason: 'It names the Python program that runs beat.',
    instead: 'Leave it out, and start the process with node, systemd or a container.',
  },
  {
    group: 'Events and control',
    names: ['events_executable'],
    reason: 'It names the Python program that runs the event camera.',
    instead: 'Leave it out, and start the process with node, systemd or a container.',
  },
  {
    group: 'Events and control',
    names: [
      ...prefixed('event', ['queue_expires', 'queue_exclusive', 'queue_durable', 'exchange']),
      ...prefixed('control', [
        'queue_ttl',
        'queue_expires',
        'queue_exclusive',
        'queue_durable',
        'exchange',
      ]),
    ],
    reason: NO_CONTROL_QUEUE,
    instead:
      'Leave it out; applications that share a Redis are kept apart by global_keyprefix in ' +
      'broker_transport_options.',
  },
  {
    group: 'Tasks',
    names: ['send_task_error_emails'],
    reason: 'Celery 4 dropped it.',
    instead: 'Leave it out, and send the mail from an exception filter.',
  },
];

/** Celery's settings that make no sense here. */
export const REFUSED_SETTINGS: readonly RefusedSetting[] = REFUSALS.flatMap(
  ({ group, names, reason, instead }) =>
    names.map((name) => ({
      name,
      group,
      origin: name.startsWith('django_') ? ('django' as const) : ('celery' as const),
      status: 'refused' as const,
      reason,
      instead,
    })),
);

function prefixed(prefix: string, names: readonly string[]): string[] {
  return names.map((name) => `${prefix}_${name}`);
}
