import type { AsyncResult } from 'nestjs-celery';

import { toPlainJson } from './plain-json.util.js';

/** What the API says of an error of a task. */
export interface ErrorView {
  readonly name: string;
  readonly message: string;
  readonly traceback: string | null;
}

/** What the API says of a task. */
export interface TaskView {
  readonly taskId: string;
  readonly state: string;
  /** Whether the task has ended. */
  readonly ready: boolean;
  /** Whether anything is known of the id: PENDING alone does not say. */
  readonly exists: boolean;
  /** What the task returned; of a task that runs, what it said of its state. */
  readonly result: unknown;
  readonly error: ErrorView | null;
  readonly metadata: {
    readonly name: string | null;
    readonly args: unknown;
    readonly kwargs: unknown;
    readonly worker: string | null;
    readonly queue: string | null;
    readonly retries: number | null;
    readonly dateDone: Date | null;
    readonly children: readonly string[];
  };
  readonly links: TaskLinks;
}

export interface TaskLinks {
  readonly self: string;
  readonly wait: string;
}

export function taskLinks(id: string): TaskLinks {
  const self = `/tasks/${encodeURIComponent(id)}`;
  return { self, wait: `${self}/wait` };
}

/** Everything that is stored about a task. */
export async function viewTask(result: AsyncResult): Promise<TaskView> {
  // The state comes after the rest that may change: when it is final the handle remembers all of
  // it, so that what follows is of one moment.
  const earlier = await result.info();
  const state = await result.state();
  const ready = isReady(state);
  const info = ready ? await result.info() : earlier;
  const isFailed = info instanceof Error;
  return {
    taskId: result.id,
    state,
    ready,
    exists: await result.exists(),
    result: isFailed ? null : toPlainJson(info),
    error: isFailed
      ? { name: info.name, message: info.message, traceback: await result.traceback() }
      : null,
    metadata: {
      name: await result.name(),
      args: toPlainJson(await result.args()),
      kwargs: toPlainJson(await result.kwargs()),
      worker: await result.worker(),
      queue: await result.queue(),
      retries: await result.retries(),
      dateDone: await result.dateDone(),
      children: (await result.children()).map(({ id }) => id),
    },
    links: taskLinks(result.id),
  };
}

function isReady(state: string): boolean {
  return state === 'SUCCESS' || state === 'FAILURE' || state === 'REVOKED';
}
