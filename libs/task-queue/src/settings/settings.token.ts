/** Nest's token of the parsed settings (`TaskQueueSettings`). */
export const TASK_QUEUE_SETTINGS = Symbol('nestjs-celery.settings');
