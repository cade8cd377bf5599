/** Metadata key of the options that `@SharedTask` puts on a method. */
export const SHARED_TASK_METADATA = 'nestjs-celery:shared-task';

/** Metadata key of the namespace that `@TaskNamespace` puts on a class. */
export const TASK_NAMESPACE_METADATA = 'nestjs-celery:task-namespace';

/** What `host.getType()` answers in guards, interceptors, pipes and filters of a task. */
export const TASK_CONTEXT_TYPE = 'task';
