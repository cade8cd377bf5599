import type { AliasSetting, SettingGroup } from '../setting-definition.interface.js';

/** Names that Celery 3 had, by what became of them (`celery upgrade settings`). */
const CELERY_3: Readonly<Record<string, string>> = {
  // Tasks
  acks_late: 'task_acks_late',
  always_eager: 'task_always_eager',
  annotations: 'task_annotations',
  eager_propagates: 'task_eager_propagates',
  eager_propagates_exceptions: 'task_eager_propagates',
  ignore_result: 'task_ignore_result',
  default_rate_limit: 'task_default_rate_limit',
  reject_on_worker_lost: 'task_reject_on_worker_lost',
  remote_tracebacks: 'task_remote_tracebacks',
  send_task_sent_event: 'task_send_sent_event',
  store_eager_result: 'task_store_eager_result',
  store_errors_even_if_ignored: 'task_store_errors_even_if_ignored',
  track_started: 'task_track_started',
  celeryd_task_time_limit: 'task_time_limit',
  celeryd_task_soft_time_limit: 'task_soft_time_limit',
  // Routing and publishing
  create_missing_queues: 'task_create_missing_queues',
  default_delivery_mode: 'task_default_delivery_mode',
  default_exchange: 'task_default_exchange',
  default_exchange_type: 'task_default_exchange_type',
  default_priority: 'task_default_priority',
  default_queue: 'task_default_queue',
  default_routing_key: 'task_default_routing_key',
  inherit_parent_priority: 'task_inherit_parent_priority',
  message_compression: 'task_compression',
  queue_max_priority: 'task_queue_max_priority',
  queues: 'task_queues',
  routes: 'task_routes',
  // Results
  amqp_task_result_expires: 'result_expires',
  max_cached_results: 'result_cache_max',
  result_db_short_lived_sessions: 'database_short_lived_sessions',
  result_db_tablenames: 'database_table_names',
  result_dburi: 'database_url',
  result_engine_options: 'database_engine_options',
  task_result_expires: 'result_expires',
  // Worker
  celeryd_agent: 'worker_agent',
  celeryd_autoscaler: 'worker_autoscaler',
  celeryd_concurrency: 'worker_concurrency',
  celeryd_consumer: 'worker_consumer',
  celeryd_hijack_root_logger: 'worker_hijack_root_logger',
  celeryd_log_color: 'worker_log_color',
  celeryd_log_file: 'worker_logfile',
  celeryd_log_format: 'worker_log_format',
  celeryd_log_level: 'worker_log_level',
  celeryd_max_memory_per_child: 'worker_max_memory_per_child',
  celeryd_max_tasks_per_child: 'worker_max_tasks_per_child',
  celeryd_pool: 'worker_pool',
  celeryd_pool_putlocks: 'worker_pool_putlocks',
  celeryd_pool_restarts: 'worker_pool_restarts',
  celeryd_prefetch_multiplier: 'worker_prefetch_multiplier',
  celeryd_proc_alive_timeout: 'worker_proc_alive_timeout',
  celeryd_state_db: 'worker_state_db',
  celeryd_task_log_format: 'worker_task_log_format',
  celeryd_timer: 'worker_timer',
  celeryd_timer_precision: 'worker_timer_precision',
  celeryd_worker_lost_wait: 'worker_lost_wait',
  disable_rate_limits: 'worker_disable_rate_limits',
  enable_remote_control: 'worker_enable_remote_control',
  redirect_stdouts: 'worker_redirect_stdouts',
  redirect_stdouts_level: 'worker_redirect_stdouts_level',
  send_events: 'worker_send_task_events',
  // Beat
  celerybeat_log_file: 'beat_logfile',
  celerybeat_max_loop_interval: 'beat_max_loop_interval',
  celerybeat_schedule: 'beat_schedule',
  celerybeat_schedule_filename: 'beat_schedule_filename',
  celerybeat_scheduler: 'beat_scheduler',
  celerybeat_sync_every: 'beat_sync_every',
};

/** Names that were never right, but are often written and plain in their meaning. */
const PLAIN: Readonly<Record<string, string>> = {
  soft_time_limit: 'task_soft_time_limit',
  time_limit: 'task_time_limit',
  worker_loglevel: 'worker_log_level',
};

/** The aliases, under the group of their target. */
export function aliasSettings(groupOf: (target: string) => SettingGroup): readonly AliasSetting[] {
  return Object.entries({ ...CELERY_3, ...PLAIN }).map(([name, target]) => ({
    name,
    target,
    group: groupOf(target),
    status: 'alias',
  }));
}
