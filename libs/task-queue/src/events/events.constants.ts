/** Metadata key of the signals that a method listens to. */
export const SIGNAL_METADATA = 'nestjs-celery:signals';

/** Metadata key of the tasks that a method is a hook of. */
export const TASK_HOOK_METADATA = 'nestjs-celery:task-hooks';
