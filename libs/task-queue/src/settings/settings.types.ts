// Made from the table of settings by `npm run docs`. Change the table, not this file.
import type { QueueDefinition, TaskQueuesInput } from './readers/queues.reader.js';
import type { TaskRouter, TaskRoutesInput } from './readers/routes.reader.js';
import type { ErrorClass } from './readers/worker-settings.reader.js';

/** When a failed publish is tried again. Read, with the defaults filled in. */
export interface PublishRetryPolicy {
  /** Retries after the first attempt. null: until task_publish_timeout is over. Default: 3. */
  readonly maxRetries: number | null;
  /** Pause before the first retry. Unit: seconds. Default: 0. */
  readonly intervalStart: number;
  /** By how much the pause grows with each retry. Unit: seconds. Default: 0.2. */
  readonly intervalStep: number;
  /** Longest pause. Unit: seconds. Default: 1. */
  readonly intervalMax: number;
}

/** When a failed publish is tried again. What may be written. */
export interface PublishRetryPolicyInput {
  /** Retries after the first attempt. null: until task_publish_timeout is over. Default: 3. */
  readonly maxRetries?: number | null;
  /** Pause before the first retry. Unit: seconds. Default: 0. */
  readonly intervalStart?: number | string;
  /** By how much the pause grows with each retry. Unit: seconds. Default: 0.2. */
  readonly intervalStep?: number | string;
  /** Longest pause. Unit: seconds. Default: 1. */
  readonly intervalMax?: number | string;
}

/** Options of the broker driver. Read, with the defaults filled in. */
export interface BrokerTransportOptions {
  /** Redis: goes before every key, so that several applications may share a database. */
  readonly globalKeyprefix?: string;
  /** How long a command may take. null: no limit. Unit: seconds. */
  readonly socketTimeout?: number | null;
  /** How long connecting may take. Default: broker_connection_timeout. Unit: seconds. */
  readonly socketConnectTimeout?: number | null;
  /** Turn on TCP keep-alive. */
  readonly socketKeepalive?: boolean;
  /** Sentinel: name of the group of servers. */
  readonly masterName?: string;
  /** Sentinel: options of the connection to the sentinels, such as { password }. */
  readonly sentinelKwargs?: Readonly<Record<string, unknown>>;
  /** PostgreSQL: the schema that holds the tables. */
  readonly schema?: string;
  /** PostgreSQL: most connections of one process. Unit: connections. */
  readonly poolSize?: number;
  /** PostgreSQL: create and update the tables at the start. */
  readonly migrate?: boolean;
  /**
   * Memory: a MemoryStore. Modules that are given the same one share its tasks and results. From
   * code only. Default: one of its own.
   */
  readonly store?: unknown;
}

/** Options of the broker driver. What may be written. */
export interface BrokerTransportOptionsInput {
  /** Redis: goes before every key, so that several applications may share a database. */
  readonly globalKeyprefix?: string;
  /** How long a command may take. null: no limit. Unit: seconds. */
  readonly socketTimeout?: number | null | string;
  /** How long connecting may take. Default: broker_connection_timeout. Unit: seconds. */
  readonly socketConnectTimeout?: number | null | string;
  /** Turn on TCP keep-alive. */
  readonly socketKeepalive?: boolean;
  /** Sentinel: name of the group of servers. */
  readonly masterName?: string;
  /** Sentinel: options of the connection to the sentinels, such as { password }. */
  readonly sentinelKwargs?: Readonly<Record<string, unknown>>;
  /** PostgreSQL: the schema that holds the tables. */
  readonly schema?: string;
  /** PostgreSQL: most connections of one process. Unit: connections. */
  readonly poolSize?: number;
  /** PostgreSQL: create and update the tables at the start. */
  readonly migrate?: boolean;
  /**
   * Memory: a MemoryStore. Modules that are given the same one share its tasks and results. From
   * code only. Default: one of its own.
   */
  readonly store?: unknown;
}

/** Options of the result backend. Read, with the defaults filled in. */
export interface ResultTransportOptions {
  /** Redis: goes before every key, so that several applications may share a database. */
  readonly globalKeyprefix?: string;
  /** How long a command may take. null: no limit. Unit: seconds. */
  readonly socketTimeout?: number | null;
  /** How long connecting may take. Default: broker_connection_timeout. Unit: seconds. */
  readonly socketConnectTimeout?: number | null;
  /** Sentinel: name of the group of servers. */
  readonly masterName?: string;
  /** Sentinel: options of the connection to the sentinels, such as { password }. */
  readonly sentinelKwargs?: Readonly<Record<string, unknown>>;
}

/** Options of the result backend. What may be written. */
export interface ResultTransportOptionsInput {
  /** Redis: goes before every key, so that several applications may share a database. */
  readonly globalKeyprefix?: string;
  /** How long a command may take. null: no limit. Unit: seconds. */
  readonly socketTimeout?: number | null | string;
  /** How long connecting may take. Default: broker_connection_timeout. Unit: seconds. */
  readonly socketConnectTimeout?: number | null | string;
  /** Sentinel: name of the group of servers. */
  readonly masterName?: string;
  /** Sentinel: options of the connection to the sentinels, such as { password }. */
  readonly sentinelKwargs?: Readonly<Record<string, unknown>>;
}

/** All settings, read and with their defaults filled in. Durations are seconds. */
export interface TaskQueueSettings {
  /**
   * Content types that workers decode. Only json is safe enough to be offered. Default: [ 'json' ].
   * Celery's `accept_content`.
   */
  readonly acceptContent: readonly string[];
  /**
   * Content types that are decoded in results. null: those of accept_content. Default: null.
   * Celery's `result_accept_content`.
   */
  readonly resultAcceptContent: readonly string[] | null;
  /**
   * What an unset timezone means: UTC, or with false the zone of the machine. Messages always carry
   * UTC. Default: true. Celery's `enable_utc`.
   */
  readonly enableUtc: boolean;
  /**
   * IANA name of the time zone of schedules, such as Asia/Shanghai. null: see enable_utc. Default:
   * null. Celery's `timezone`.
   */
  readonly timezone: string | null;
  /**
   * Modules to load when a worker starts. Nothing to do here: providers are scanned. Default: [].
   * Accepted, and has no effect here. Celery's `imports`.
   */
  readonly imports: readonly string[];
  /**
   * Further modules to load when a worker starts. Nothing to do here: providers are scanned.
   * Default: []. Accepted, and has no effect here. Celery's `include`.
   */
  readonly include: readonly string[];
  /**
   * Result backends of your own, by the scheme that selects them. Default: {}. Not built yet: has
   * no effect in this version. Celery's `override_backends`.
   */
  readonly overrideBackends: Readonly<Record<string, unknown>>;
  /**
   * Acknowledge a task when its outcome is recorded. false: before it runs, at most once. Default:
   * true. Celery's default: false. Here a task is at least once by default: it survives a lost
   * worker. Celery's `task_acks_late`.
   */
  readonly taskAcksLate: boolean;
  /**
   * Acknowledge a late task that failed or timed out. Replaced by the next two settings. Default:
   * true. Celery's `task_acks_on_failure_or_timeout`.
   */
  readonly taskAcksOnFailureOrTimeout: boolean;
  /**
   * Acknowledge a late task that failed. null: as task_acks_on_failure_or_timeout says. Default:
   * null. Celery's `task_acks_on_failure`.
   */
  readonly taskAcksOnFailure: boolean | null;
  /**
   * Acknowledge a late task that timed out. null: as task_acks_on_failure_or_timeout says. Default:
   * null. Celery's `task_acks_on_timeout`.
   */
  readonly taskAcksOnTimeout: boolean | null;
  /**
   * Put a late task back when its worker process is lost. null: as task_acks_late says. Default:
   * null. Celery's `task_reject_on_worker_lost`.
   */
  readonly taskRejectOnWorkerLost: boolean | null;
  /**
   * Store the state STARTED when a worker begins a task. Default: false. Celery's
   * `task_track_started`.
   */
  readonly taskTrackStarted: boolean;
  /**
   * Hard limit: a task that runs longer is ended with TimeLimitExceeded. 0 or null: none. Unit:
   * seconds. Default: null. Celery's `task_time_limit`.
   */
  readonly taskTimeLimit: number | null;
  /**
   * Soft limit: the signal of a task that runs longer is aborted, and it may clean up. 0 or null:
   * none. Unit: seconds. Default: null. Celery's `task_soft_time_limit`.
   */
  readonly taskSoftTimeLimit: number | null;
  /**
   * Rate limit of tasks without one of their own, such as '10/m'. null: none. Default: null. Not
   * built yet: has no effect in this version. Celery's `task_default_rate_limit`.
   */
  readonly taskDefaultRateLimit: string | null;
  /**
   * Options to lay over tasks from the settings, by task name or by function. Default: null. Not
   * built yet: has no effect in this version. Celery's `task_annotations`.
   */
  readonly taskAnnotations: unknown;
  /**
   * Store no results, except for tasks or calls that ask for it. Default: false. Celery's
   * `task_ignore_result`.
   */
  readonly taskIgnoreResult: boolean;
  /**
   * Store the errors of tasks whose results are ignored. Default: false. Celery's
   * `task_store_errors_even_if_ignored`.
   */
  readonly taskStoreErrorsEvenIfIgnored: boolean;
  /**
   * Give errors the stack of the worker. Always so here. Default: true. Celery's default: false,
   * because in Python it needs a further package. Accepted, and has no effect here. Celery's
   * `task_remote_tracebacks`.
   */
  readonly taskRemoteTracebacks: boolean;
  /**
   * Call the error callbacks of a chord also for its header tasks. Default: false. Not built yet:
   * has no effect in this version. Celery's `task_allow_error_cb_on_chord_header`.
   */
  readonly taskAllowErrorCbOnChordHeader: boolean;
  /**
   * Send a task-sent event with every publish. Default: false. Not built yet: has no effect in this
   * version. Celery's `task_send_sent_event`.
   */
  readonly taskSendSentEvent: boolean;
  /**
   * Run tasks in the calling process at once instead of publishing them. For tests. Default: false.
   * Celery's `task_always_eager`.
   */
  readonly taskAlwaysEager: boolean;
  /**
   * Throw the errors of eager tasks out of the call. Default: false. Celery's
   * `task_eager_propagates`.
   */
  readonly taskEagerPropagates: boolean;
  /** Store the results of eager tasks too. Default: false. Celery's `task_store_eager_result`. */
  readonly taskStoreEagerResult: boolean;
  /**
   * How often a task is run again after its worker was lost. Then it ends FAILURE. Unit:
   * redeliveries. Default: 3. Not one of Celery's settings.
   */
  readonly taskMaxRedeliveries: number;
  /**
   * How long a task of an unknown name waits for a worker that knows it. 0: fails at once with
   * NotRegistered. Unit: seconds. Default: 60. Not one of Celery's settings.
   */
  readonly taskUnknownGrace: number;
  /**
   * Queue of tasks that no option and no route sends elsewhere. Default: 'celery'. Celery's
   * `task_default_queue`.
   */
  readonly taskDefaultQueue: string;
  /**
   * The queues: names, { name } objects, or an object by name. A worker without worker_queues
   * consumes all of them. null: only the default queue. Default: null. Celery's `task_queues`.
   */
  readonly taskQueues: readonly QueueDefinition[] | null;
  /**
   * Allow queues that are not in task_queues. false: a task sent to one is refused. Default: true.
   * Celery's `task_create_missing_queues`.
   */
  readonly taskCreateMissingQueues: boolean;
  /**
   * Which task goes to which queue: by exact name, glob, RegExp or function. The first router that
   * answers wins; in one table exact names beat patterns. Default: null. Celery's `task_routes`.
   */
  readonly taskRoutes: readonly TaskRouter[] | null;
  /**
   * Priority of tasks without one of their own, 0 to 9, higher first. null: 0. Default: null.
   * Celery's `task_default_priority`.
   */
  readonly taskDefaultPriority: number | null;
  /**
   * Give tasks sent from a task the priority of that task. Default: false. Celery's
   * `task_inherit_parent_priority`.
   */
  readonly taskInheritParentPriority: boolean;
  /**
   * Highest priority of a queue. Nothing to do here: every queue knows 0 to 9. Default: null.
   * Accepted, and has no effect here. Celery's `task_queue_max_priority`.
   */
  readonly taskQueueMaxPriority: number | null;
  /** How arguments are encoded. Default: 'json'. Celery's `task_serializer`. */
  readonly taskSerializer: 'json';
  /**
   * How arguments are compressed, such as 'gzip'. null: not at all. Default: null. Not built yet:
   * has no effect in this version. Celery's `task_compression`.
   */
  readonly taskCompression: string | null;
  /**
   * Try a publish again when the connection fails, within task_publish_timeout. Default: true.
   * Celery's `task_publish_retry`.
   */
  readonly taskPublishRetry: boolean;
  /**
   * How often and at what intervals a failed publish is tried again. Keys left out keep their
   * default. Default: { maxRetries: 3, intervalStart: 0, intervalStep: 0.2, intervalMax: 1 }.
   * Celery's `task_publish_retry_policy`.
   */
  readonly taskPublishRetryPolicy: PublishRetryPolicy;
  /**
   * How long one publish may take in all, retries included. Then it throws OperationalError. Unit:
   * seconds. Default: 5. Not one of Celery's settings.
   */
  readonly taskPublishTimeout: number;
  /**
   * Largest message that may be published. A larger one throws EncodeError. Unit: bytes. Default:
   * 1048576. Not one of Celery's settings.
   */
  readonly taskMaxPayloadBytes: number;
  /**
   * Where tasks are kept; write for example redis://localhost:6379/0,
   * postgresql://user:password@localhost:5432/database or memory://. Also rediss://, valkey://,
   * sentinel://, redis+cluster:// and postgres://. Required, unless task_always_eager is set.
   * Default: null. Celery's default: amqp://. There is no AMQP here, so a broker has to be named.
   * Celery's `broker_url`.
   */
  readonly brokerUrl: string | null;
  /**
   * Broker from which tasks are fetched. null: broker_url. Default: null. Not built yet: has no
   * effect in this version. Celery's `broker_read_url`.
   */
  readonly brokerReadUrl: string | null;
  /**
   * Broker to which tasks are published. null: broker_url. Default: null. Not built yet: has no
   * effect in this version. Celery's `broker_write_url`.
   */
  readonly brokerWriteUrl: string | null;
  /**
   * How long connecting may take before it counts as failed. Unit: seconds. Default: 4. Celery's
   * `broker_connection_timeout`.
   */
  readonly brokerConnectionTimeout: number;
  /**
   * A worker connects again by itself when the connection breaks. Default: true. Celery's
   * `broker_connection_retry`.
   */
  readonly brokerConnectionRetry: boolean;
  /**
   * A worker tries again when the first connection fails. null: as broker_connection_retry.
   * Default: null. Celery's `broker_connection_retry_on_startup`.
   */
  readonly brokerConnectionRetryOnStartup: boolean | null;
  /**
   * Attempts to connect before a worker gives up. 0 or null: no limit. Default: 100. Celery's
   * `broker_connection_max_retries`.
   */
  readonly brokerConnectionMaxRetries: number | null;
  /**
   * Order in which several brokers are tried. Default: null. Not built yet: has no effect in this
   * version. Celery's `broker_failover_strategy`.
   */
  readonly brokerFailoverStrategy: string | null;
  /**
   * Connections kept for publishing. Nothing to do here: one is enough. Default: 10. Accepted, and
   * has no effect here. Celery's `broker_pool_limit`.
   */
  readonly brokerPoolLimit: number | null;
  /**
   * How long to wait for a free connection. Nothing to do here. Unit: seconds. Default: null.
   * Accepted, and has no effect here. Celery's `broker_pool_acquire_timeout`.
   */
  readonly brokerPoolAcquireTimeout: number | null;
  /**
   * Encrypt the connection: true, or options of Node's tls.connect (ca, cert, key,
   * rejectUnauthorized, servername). Default: false. Celery's `broker_use_ssl`.
   */
  readonly brokerUseSsl: boolean | Readonly<Record<string, unknown>>;
  /** Options of the driver. Default: {}. Celery's `broker_transport_options`. */
  readonly brokerTransportOptions: BrokerTransportOptions;
  /**
   * How long a task belongs to a worker that shows no sign of life. Leases are renewed while a task
   * runs. Unit: seconds. Default: 30. Not one of Celery's settings.
   */
  readonly brokerLeaseDuration: number;
  /**
   * How often workers look for tasks whose worker was lost. Unit: seconds. Default: 5. Not one of
   * Celery's settings.
   */
  readonly brokerLeaseCheckInterval: number;
  /**
   * Where results are kept: redis://host:6379/1 (or another Redis scheme), or 'cache' for the cache
   * of the application. null: with the tasks, in the broker. Default: null. Celery's default: null,
   * which turns results off. Celery's `result_backend`.
   */
  readonly resultBackend: string | null;
  /**
   * How long results are kept. 0 or null: for ever. Unit: seconds. Default: 86400. Celery's
   * `result_expires`.
   */
  readonly resultExpires: number | null;
  /**
   * Keep the name, arguments, worker, queue and retries of the task with its result. Default:
   * false. Celery's `result_extended`.
   */
  readonly resultExtended: boolean;
  /** How results are encoded. Default: 'json'. Celery's `result_serializer`. */
  readonly resultSerializer: 'json';
  /**
   * How results are compressed, such as 'gzip'. null: not at all. Default: null. Not built yet: has
   * no effect in this version. Celery's `result_compression`.
   */
  readonly resultCompression: string | null;
  /**
   * Results that a client keeps in memory. -1: none. Default: -1. Not built yet: has no effect in
   * this version. Celery's `result_cache_max`.
   */
  readonly resultCacheMax: number;
  /** Options of the result backend. Default: {}. Celery's `result_backend_transport_options`. */
  readonly resultBackendTransportOptions: ResultTransportOptions;
  /**
   * Try to store a result again when the result backend fails. Default: false. Not built yet: has
   * no effect in this version. Celery's `result_backend_always_retry`.
   */
  readonly resultBackendAlwaysRetry: boolean;
  /**
   * Attempts to store a result. null: no limit. Default: null. Not built yet: has no effect in this
   * version. Celery's `result_backend_max_retries`.
   */
  readonly resultBackendMaxRetries: number | null;
  /**
   * First pause between attempts to store a result. Unit: milliseconds. Default: 10. Not built yet:
   * has no effect in this version. Celery's `result_backend_base_sleep_between_retries_ms`.
   */
  readonly resultBackendBaseSleepBetweenRetriesMs: number;
  /**
   * Longest pause between attempts to store a result. Unit: milliseconds. Default: 10000. Not built
   * yet: has no effect in this version. Celery's `result_backend_max_sleep_between_retries_ms`.
   */
  readonly resultBackendMaxSleepBetweenRetriesMs: number;
  /**
   * How long a chord waits for the results of its header. Nothing to do here: they are there when
   * the body starts. Unit: seconds. Default: 3. Accepted, and has no effect here. Celery's
   * `result_chord_join_timeout`.
   */
  readonly resultChordJoinTimeout: number;
  /**
   * Share a result backend among threads. Nothing to do here. Default: false. Accepted, and has no
   * effect here. Celery's `result_backend_thread_safe`.
   */
  readonly resultBackendThreadSafe: boolean;
  /**
   * Largest result that is stored. A larger one makes its task fail with EncodeError. Unit: bytes.
   * Default: 16777216. Not one of Celery's settings.
   */
  readonly resultMaxPayloadBytes: number;
  /**
   * Classes of your own errors that get() may throw again as what they were. Only in code. Default:
   * []. Not one of Celery's settings.
   */
  readonly resultKnownErrors: readonly ErrorClass[];
  /**
   * Host of the Redis of the results. Write it in result_backend. Default: null. Not built yet: has
   * no effect in this version. Celery's `redis_host`.
   */
  readonly redisHost: string | null;
  /**
   * Port of the Redis of the results. Write it in result_backend. Default: null. Not built yet: has
   * no effect in this version. Celery's `redis_port`.
   */
  readonly redisPort: number | null;
  /**
   * Database number of the results. Write it in result_backend. Default: null. Not built yet: has
   * no effect in this version. Celery's `redis_db`.
   */
  readonly redisDb: number | null;
  /**
   * User of the Redis of the results. Write it in result_backend. Default: null. Not built yet: has
   * no effect in this version. Celery's `redis_username`.
   */
  readonly redisUsername: string | null;
  /**
   * Password of the Redis of the results. Write it in result_backend. Default: null. Not built yet:
   * has no effect in this version. Celery's `redis_password`.
   */
  readonly redisPassword: string | null;
  /**
   * Encrypt the connection to the result backend: true, or options of Node's tls.connect. Default:
   * null. Not built yet: has no effect in this version. Celery's `redis_backend_use_ssl`.
   */
  readonly redisBackendUseSsl: boolean | Readonly<Record<string, unknown>> | null;
  /**
   * Most connections to the result backend. Default: null. Not built yet: has no effect in this
   * version. Celery's `redis_max_connections`.
   */
  readonly redisMaxConnections: number | null;
  /**
   * How long a command to the result backend may take. Unit: seconds. Default: 120. Not built yet:
   * has no effect in this version. Celery's `redis_socket_timeout`.
   */
  readonly redisSocketTimeout: number;
  /**
   * How long connecting to the result backend may take. null: no limit of its own. Unit: seconds.
   * Default: null. Not built yet: has no effect in this version. Celery's
   * `redis_socket_connect_timeout`.
   */
  readonly redisSocketConnectTimeout: number | null;
  /**
   * Try a command to the result backend again after a timeout. Default: false. Not built yet: has
   * no effect in this version. Celery's `redis_retry_on_timeout`.
   */
  readonly redisRetryOnTimeout: boolean;
  /**
   * Turn on TCP keep-alive for the result backend. Default: false. Not built yet: has no effect in
   * this version. Celery's `redis_socket_keepalive`.
   */
  readonly redisSocketKeepalive: boolean;
  /**
   * How often an idle connection to the result backend is checked. Unit: seconds. Default: null.
   * Not built yet: has no effect in this version. Celery's `redis_backend_health_check_interval`.
   */
  readonly redisBackendHealthCheckInterval: number | null;
  /**
   * Name of the connection to the result backend, as CLIENT LIST shows it. Default: null. Not built
   * yet: has no effect in this version. Celery's `redis_client_name`.
   */
  readonly redisClientName: string | null;
  /**
   * Function that gives the credentials of the result backend. Default: null. Not built yet: has no
   * effect in this version. Celery's `redis_backend_credential_provider`.
   */
  readonly redisBackendCredentialProvider: unknown;
  /**
   * SQL database of the results. Default: null. Not built yet: has no effect in this version.
   * Celery's `database_url`.
   */
  readonly databaseUrl: string | null;
  /**
   * Options of the connection to the SQL database. Default: {}. Celery's default: { pool_pre_ping:
   * true, pool_recycle: 3600 }, options of SQLAlchemy. Not built yet: has no effect in this
   * version. Celery's `database_engine_options`.
   */
  readonly databaseEngineOptions: Readonly<Record<string, unknown>>;
  /**
   * Use a new database session for every result. Default: false. Not built yet: has no effect in
   * this version. Celery's `database_short_lived_sessions`.
   */
  readonly databaseShortLivedSessions: boolean;
  /**
   * Names of the tables of the results. Default: {}. Not built yet: has no effect in this version.
   * Celery's `database_table_names`.
   */
  readonly databaseTableNames: Readonly<Record<string, unknown>>;
  /**
   * Schemas of the tables of the results. Default: {}. Not built yet: has no effect in this
   * version. Celery's `database_table_schemas`.
   */
  readonly databaseTableSchemas: Readonly<Record<string, unknown>>;
  /**
   * Create the tables of the results at the start. Default: true. Not built yet: has no effect in
   * this version. Celery's `database_create_tables_at_setup`.
   */
  readonly databaseCreateTablesAtSetup: boolean;
  /**
   * Function that changes the database connection once it is made. Default: null. Not built yet:
   * has no effect in this version. Celery's `database_engine_callback`.
   */
  readonly databaseEngineCallback: unknown;
  /**
   * Which cache keeps the results: 'default' or 'django-cache', both the cache of the application.
   * Set alone, it selects the cache as result_backend with a warning. Default: null. Celery's
   * `cache_backend`.
   */
  readonly cacheBackend: string | null;
  /**
   * Options of the cache of the results. Default: {}. Not built yet: has no effect in this version.
   * Celery's `cache_backend_options`.
   */
  readonly cacheBackendOptions: Readonly<Record<string, unknown>>;
  /**
   * Options of the results in the database, such as { ALLOW_EDITS: false }. Default: {}. Celery's
   * default: { ALLOW_EDITS: false } Not built yet: has no effect in this version. Celery's
   * `django_celery_results`.
   */
  readonly djangoCeleryResults: Readonly<Record<string, unknown>>;
  /**
   * Longest task id in the tables of the results. Unit: characters. Default: 255. Not built yet:
   * has no effect in this version. Celery's `django_celery_results_task_id_max_length`.
   */
  readonly djangoCeleryResultsTaskIdMaxLength: number;
  /**
   * Tasks that one worker process runs at a time. null: the pool decides. Default: null. Celery's
   * default: The number of cores, because its pool is one of processes. Celery's
   * `worker_concurrency`.
   */
  readonly workerConcurrency: number | null;
  /**
   * Where tasks run. async: many at a time on the event loop of the worker. prefork: in child
   * processes, one at a time each. threads: in threads, likewise. solo: one at a time in the worker
   * itself. Default: 'async'. Celery's default: 'prefork'; most tasks of Node wait for I/O, and
   * those run best in one process. Celery's `worker_pool`.
   */
  readonly workerPool: 'async' | 'prefork' | 'threads' | 'solo';
  /**
   * Queues that this worker consumes (-Q). Empty: those of task_queues, or the default queue.
   * Default: []. Not one of Celery's settings.
   */
  readonly workerQueues: readonly string[];
  /**
   * Queues of task_queues that this worker does not consume (-X). Default: []. Not one of Celery's
   * settings.
   */
  readonly workerExcludeQueues: readonly string[];
  /**
   * Name of the worker (-n). %h: host name with domain, %n: host name, %d: domain. Default:
   * 'celery@%h'. Not one of Celery's settings.
   */
  readonly workerName: string;
  /**
   * Tasks fetched ahead for each slot. Nothing to do here: nothing is prefetched. Default: 4.
   * Accepted, and has no effect here. Celery's `worker_prefetch_multiplier`.
   */
  readonly workerPrefetchMultiplier: number;
  /**
   * Fetch no tasks ahead. Always so here. Default: false. Accepted, and has no effect here.
   * Celery's `worker_disable_prefetch`.
   */
  readonly workerDisablePrefetch: boolean;
  /**
   * Most delayed tasks held by a worker. Nothing to do here: the store holds them. Default: null.
   * Accepted, and has no effect here. Celery's `worker_eta_task_limit`.
   */
  readonly workerEtaTaskLimit: number | null;
  /**
   * Fetch fewer tasks ahead after a lost connection. Nothing to do here. Default: true. Accepted,
   * and has no effect here. Celery's `worker_enable_prefetch_count_reduction`.
   */
  readonly workerEnablePrefetchCountReduction: boolean;
  /**
   * What grows and shrinks the pool. Default: null. Celery's default:
   * 'celery.worker.autoscale:Autoscaler', a path in Python. Not built yet: has no effect in this
   * version. Celery's `worker_autoscaler`.
   */
  readonly workerAutoscaler: unknown;
  /**
   * Tasks after which a child process is replaced. null: never. Default: null. Celery's
   * `worker_max_tasks_per_child`.
   */
  readonly workerMaxTasksPerChild: number | null;
  /**
   * Memory above which a child process is replaced. null: no limit. Unit: KiB. Default: null.
   * Celery's `worker_max_memory_per_child`.
   */
  readonly workerMaxMemoryPerChild: number | null;
  /**
   * How long to wait for the result of a lost child process. Unit: seconds. Default: 10. Not built
   * yet: has no effect in this version. Celery's `worker_lost_wait`.
   */
  readonly workerLostWait: number;
  /**
   * How long a new child process may take to start. Unit: seconds. Default: 60. Celery's default:
   * 4.0; a child boots the whole application here. Celery's `worker_proc_alive_timeout`.
   */
  readonly workerProcAliveTimeout: number;
  /**
   * Allow the pool to be restarted by remote control. Default: false. Not built yet: has no effect
   * in this version. Celery's `worker_pool_restarts`.
   */
  readonly workerPoolRestarts: boolean;
  /**
   * Cancel late tasks when the connection to the broker is lost. Default: false. Not built yet: has
   * no effect in this version. Celery's `worker_cancel_long_running_tasks_on_connection_loss`.
   */
  readonly workerCancelLongRunningTasksOnConnectionLoss: boolean;
  /**
   * Do not run a redelivered task again that has succeeded. Default: false. Not built yet: has no
   * effect in this version. Celery's `worker_deduplicate_successful_tasks`.
   */
  readonly workerDeduplicateSuccessfulTasks: boolean;
  /**
   * How long a stopping worker waits for its tasks before it hands them back. 0: as long as they
   * take. Unit: seconds. Default: 0. Celery's `worker_soft_shutdown_timeout`.
   */
  readonly workerSoftShutdownTimeout: number;
  /**
   * Wait for worker_soft_shutdown_timeout also when nothing runs. Default: false. Not built yet:
   * has no effect in this version. Celery's `worker_enable_soft_shutdown_on_idle`.
   */
  readonly workerEnableSoftShutdownOnIdle: boolean;
  /**
   * File in which a worker remembers revoked tasks. Nothing to do here: the store does. Default:
   * null. Accepted, and has no effect here. Celery's `worker_state_db`.
   */
  readonly workerStateDb: string | null;
  /**
   * Listen for remote control commands. Default: true. Not built yet: has no effect in this
   * version. Celery's `worker_enable_remote_control`.
   */
  readonly workerEnableRemoteControl: boolean;
  /**
   * Send task events (-E). Default: false. Not built yet: has no effect in this version. Celery's
   * `worker_send_task_events`.
   */
  readonly workerSendTaskEvents: boolean;
  /**
   * Run tasks without regard to their rate limits. Default: false. Not built yet: has no effect in
   * this version. Celery's `worker_disable_rate_limits`.
   */
  readonly workerDisableRateLimits: boolean;
  /**
   * Give every worker a queue of its own. Default: false. Not built yet: has no effect in this
   * version. Celery's `worker_direct`.
   */
  readonly workerDirect: boolean;
  /**
   * Longest pause between two looks at the timers. Unit: seconds. Default: 1. Not built yet: has no
   * effect in this version. Celery's `worker_timer_precision`.
   */
  readonly workerTimerPrecision: number;
  /** Least level that is logged (-l). Default: 'info'. Not one of Celery's settings. */
  readonly workerLogLevel: 'debug' | 'info' | 'warning' | 'error' | 'critical';
  /**
   * Lines of the log: 'nest' (Nest's logger), 'celery' (Celery's line), 'json', or a format with
   * %(asctime)s, %(levelname)s, %(processName)s and %(message)s. Default: 'nest'. Celery's default:
   * '[%(asctime)s: %(levelname)s/%(processName)s] %(message)s', which is 'celery' here. Celery's
   * `worker_log_format`.
   */
  readonly workerLogFormat: string;
  /**
   * Lines that a task logs. Default: '[%(asctime)s: %(levelname)s/%(processName)s]
   * %(task_name)s[%(task_id)s]: %(message)s'. Not built yet: has no effect in this version.
   * Celery's `worker_task_log_format`.
   */
  readonly workerTaskLogFormat: string;
  /**
   * Colour the log. null: when it goes to a terminal. Default: null. Celery's `worker_log_color`.
   */
  readonly workerLogColor: boolean | null;
  /**
   * Let the worker set up Nest's logger. false: the logger of the application stays. Default: true.
   * Celery's `worker_hijack_root_logger`.
   */
  readonly workerHijackRootLogger: boolean;
  /**
   * Log what tasks write to stdout and stderr. Default: false. Celery's default: true. Here
   * console.log goes where it always goes. Not built yet: has no effect in this version. Celery's
   * `worker_redirect_stdouts`.
   */
  readonly workerRedirectStdouts: boolean;
  /**
   * Level of what tasks write to stdout and stderr. Default: 'WARNING'. Not built yet: has no
   * effect in this version. Celery's `worker_redirect_stdouts_level`.
   */
  readonly workerRedirectStdoutsLevel: string;
  /**
   * File of the log (-f). null: stderr. Default: null. Not built yet: has no effect in this
   * version. Celery's `worker_logfile`.
   */
  readonly workerLogfile: string | null;
  /**
   * File that holds the process id. Default: null. Not built yet: has no effect in this version.
   * Celery's `worker_pidfile`.
   */
  readonly workerPidfile: string | null;
  /**
   * User to run as, by name or number. Default: null. Not built yet: has no effect in this version.
   * Celery's `worker_uid`.
   */
  readonly workerUid: string | null;
  /**
   * Group to run as, by name or number. Default: null. Not built yet: has no effect in this
   * version. Celery's `worker_gid`.
   */
  readonly workerGid: string | null;
  /**
   * umask of the process, in octal. Default: null. Not built yet: has no effect in this version.
   * Celery's `worker_umask`.
   */
  readonly workerUmask: string | null;
  /**
   * Periodic tasks by name: { task, schedule, args, kwargs, options, relative }. Default: {}. Not
   * built yet: has no effect in this version. Celery's `beat_schedule`.
   */
  readonly beatSchedule: Readonly<Record<string, unknown>>;
  /**
   * Where the entries are kept: 'broker' or 'database'. Default: 'broker'. Celery's default:
   * 'celery.beat:PersistentScheduler', a file on one machine. Here any number of beats may run. Not
   * built yet: has no effect in this version. Celery's `beat_scheduler`.
   */
  readonly beatScheduler: string;
  /**
   * File of the entries. Default: 'celerybeat-schedule'. Not built yet: has no effect in this
   * version. Celery's `beat_schedule_filename`.
   */
  readonly beatScheduleFilename: string;
  /**
   * Tasks sent before the entries are stored. 0: at every tick. Default: 0. Not built yet: has no
   * effect in this version. Celery's `beat_sync_every`.
   */
  readonly beatSyncEvery: number;
  /**
   * Longest pause between two looks at the entries. Unit: seconds. Default: 5. Celery's default: 0,
   * which means 300 seconds, or 5 with the database scheduler. Not built yet: has no effect in this
   * version. Celery's `beat_max_loop_interval`.
   */
  readonly beatMaxLoopInterval: number;
  /**
   * A run that is later than this is skipped. null: it is made up for. Unit: seconds. Default:
   * null. Not built yet: has no effect in this version. Celery's `beat_cron_starting_deadline`.
   */
  readonly beatCronStartingDeadline: number | null;
  /**
   * File of the log of beat. Default: null. Not built yet: has no effect in this version. Celery's
   * `beat_logfile`.
   */
  readonly beatLogfile: string | null;
  /**
   * File that holds the process id of beat. Default: null. Not built yet: has no effect in this
   * version. Celery's `beat_pidfile`.
   */
  readonly beatPidfile: string | null;
  /**
   * User to run beat as. Default: null. Not built yet: has no effect in this version. Celery's
   * `beat_uid`.
   */
  readonly beatUid: string | null;
  /**
   * Group to run beat as. Default: null. Not built yet: has no effect in this version. Celery's
   * `beat_gid`.
   */
  readonly beatGid: string | null;
  /**
   * umask of beat, in octal. Default: null. Not built yet: has no effect in this version. Celery's
   * `beat_umask`.
   */
  readonly beatUmask: string | null;
  /**
   * Keep times with their zone. Always so here. Default: true. Accepted, and has no effect here.
   * Celery's `django_celery_beat_tz_aware`.
   */
  readonly djangoCeleryBeatTzAware: boolean;
  /**
   * How long an event is kept for a listener. Unit: seconds. Default: 5. Not built yet: has no
   * effect in this version. Celery's `event_queue_ttl`.
   */
  readonly eventQueueTtl: number;
  /**
   * Prefix of the channels of events. Default: 'celeryev'. Not built yet: has no effect in this
   * version. Celery's `event_queue_prefix`.
   */
  readonly eventQueuePrefix: string;
  /**
   * How events are encoded. Default: 'json'. Not built yet: has no effect in this version. Celery's
   * `event_serializer`.
   */
  readonly eventSerializer: 'json';
  /**
   * File of the log of the event camera. Default: null. Not built yet: has no effect in this
   * version. Celery's `events_logfile`.
   */
  readonly eventsLogfile: string | null;
  /**
   * File that holds the process id of the event camera. Default: null. Not built yet: has no effect
   * in this version. Celery's `events_pidfile`.
   */
  readonly eventsPidfile: string | null;
  /**
   * User to run the event camera as. Default: null. Not built yet: has no effect in this version.
   * Celery's `events_uid`.
   */
  readonly eventsUid: string | null;
  /**
   * Group to run the event camera as. Default: null. Not built yet: has no effect in this version.
   * Celery's `events_gid`.
   */
  readonly eventsGid: string | null;
  /**
   * umask of the event camera, in octal. Default: null. Not built yet: has no effect in this
   * version. Celery's `events_umask`.
   */
  readonly eventsUmask: string | null;
  /**
   * Private key that signs messages. Default: null. Not built yet: has no effect in this version.
   * Celery's `security_key`.
   */
  readonly securityKey: string | null;
  /**
   * Password of the private key. Default: null. Not built yet: has no effect in this version.
   * Celery's `security_key_password`.
   */
  readonly securityKeyPassword: string | null;
  /**
   * Certificate of the private key. Default: null. Not built yet: has no effect in this version.
   * Celery's `security_certificate`.
   */
  readonly securityCertificate: string | null;
  /**
   * Certificates whose signatures are trusted. Default: null. Not built yet: has no effect in this
   * version. Celery's `security_cert_store`.
   */
  readonly securityCertStore: string | null;
  /**
   * Digest of the signatures. Default: 'sha256'. Not built yet: has no effect in this version.
   * Celery's `security_digest`.
   */
  readonly securityDigest: string;
}

type DurationSetting =
  | 'taskTimeLimit'
  | 'taskSoftTimeLimit'
  | 'taskUnknownGrace'
  | 'taskPublishTimeout'
  | 'brokerConnectionTimeout'
  | 'brokerPoolAcquireTimeout'
  | 'brokerLeaseDuration'
  | 'brokerLeaseCheckInterval'
  | 'resultExpires'
  | 'resultChordJoinTimeout'
  | 'redisSocketTimeout'
  | 'redisSocketConnectTimeout'
  | 'redisBackendHealthCheckInterval'
  | 'workerLostWait'
  | 'workerProcAliveTimeout'
  | 'workerSoftShutdownTimeout'
  | 'workerTimerPrecision'
  | 'beatMaxLoopInterval'
  | 'beatCronStartingDeadline'
  | 'eventQueueTtl';

interface InputForms {
  readonly taskQueues: TaskQueuesInput | null;
  readonly taskRoutes: TaskRoutesInput | null;
  readonly taskPublishRetryPolicy: PublishRetryPolicyInput;
  readonly brokerUrl: string | readonly string[] | null;
  readonly brokerTransportOptions: BrokerTransportOptionsInput;
  readonly resultBackendTransportOptions: ResultTransportOptionsInput;
}

/**
 * What `TaskQueueModule.forRoot()` takes: every setting is optional, and a duration is a number of
 * seconds or a string such as `'90s'`, `'15m'` or `'2h'`.
 */
export type TaskQueueSettingsInput = {
  readonly [K in keyof TaskQueueSettings]?: K extends keyof InputForms
    ? InputForms[K]
    : K extends DurationSetting
      ? TaskQueueSettings[K] | string
      : TaskQueueSettings[K];
};
