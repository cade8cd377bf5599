import { AsyncResult, type GetOptions } from './async.result.js';
import type { ResultServices } from './result-services.interface.js';
import type { TaskMeta } from './task-meta.interface.js';
import { isPropagateState } from './task-state.js';

/**
 * The result of a task that was run here and now, by `apply()` or with `task_always_eager`.
 * Celery's `EagerResult`.
 *
 * The same face as `AsyncResult`, but it asks no store: it holds the very value that the task
 * returned, or the very error that it threw.
 */
export class EagerResult<R = unknown> extends AsyncResult<R> {
  readonly #meta: TaskMeta;

  /** @param meta - The outcome; `result` is the value itself, or the error itself. */
  constructor(meta: TaskMeta, services: ResultServices) {
    super(meta.task_id, services);
    this.#meta = meta;
  }

  /** The value; throws the error of a failed task, unless `propagate` is `false`. */
  override async get(options: Pick<GetOptions, 'propagate'> = {}): Promise<R> {
    const { result, status } = this.#meta;
    if (!isPropagateState(status)) return (status === 'SUCCESS' ? result : null) as R;
    if (options.propagate ?? true) throw result;
    return result as R;
  }

  override async info(): Promise<unknown> {
    return this.#meta.result;
  }

  /** Always: the task has been run. */
  override async ready(): Promise<boolean> {
    return true;
  }

  override async exists(): Promise<boolean> {
    return true;
  }

  /** A no-op: the result is kept by this handle alone. */
  override async forget(): Promise<void> {}

  /** Calls `callback` once, with the outcome. */
  override onMessage(callback: (meta: TaskMeta) => void): () => void {
    let wanted = true;
    queueMicrotask(() => {
      if (wanted) callback(this.#meta);
    });
    return () => {
      wanted = false;
    };
  }

  protected override async meta(): Promise<TaskMeta> {
    return this.#meta;
  }
}
