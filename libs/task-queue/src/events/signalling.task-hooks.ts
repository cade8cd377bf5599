import type { RevokeReason } from '../results/index.js';
import { TaskContext, TaskRequest } from '../tasks/index.js';
import type { RunState, SignalFields, TaskSignalName } from './signal-events.interface.js';
import type { TaskHookArguments, TaskHookKind } from './task-hook.decorators.js';
import type { TaskHookRegistry } from './task-hook.registry.js';
import type { RetryDetails, TaskHooks, TaskIdentity } from './task-hooks.interface.js';
import type { TaskSignals } from './task.signals.js';

/** Calls the hooks of tasks and tells the listeners, both within the context of the task. */
export class SignallingTaskHooks implements TaskHooks {
  /** Of runs with an async hook under way: its end. */
  private readonly tails = new WeakMap<TaskContext, Promise<void>>();

  constructor(
    private readonly signals: TaskSignals,
    private readonly hooks: TaskHookRegistry,
  ) {}

  received(request: TaskRequest): void {
    if (this.signals.has('taskReceived')) {
      this.signals.emit('taskReceived', { ...identify(request), request });
    }
  }

  prerun(context: TaskContext): void {
    this.signal(context, 'taskPrerun', describe);
  }

  beforeStart(context: TaskContext): Promise<void> | undefined {
    const hooks = this.hooks.of(context.name, 'beforeStart');
    return hooks.length === 0
      ? undefined
      : TaskContext.run(context, async () => {
          for (const { run } of hooks) {
            await run(context);
          }
        });
  }

  success(context: TaskContext, value: unknown, runtime: number): void {
    this.hook('onSuccess', context, value);
    this.signal(context, 'taskSuccess', (run) => ({ ...describe(run), result: value, runtime }));
    this.hook('afterReturn', context, 'SUCCESS', value);
  }

  failure(context: TaskContext, error: unknown): void {
    this.hook('onFailure', context, error);
    this.signal(context, 'taskFailure', (run) => ({ ...describe(run), error }));
    this.hook('afterReturn', context, 'FAILURE', error);
  }

  retry(context: TaskContext, { error, reason, retryAt }: RetryDetails): void {
    const date = retryAt === null ? null : new Date(retryAt);
    this.hook('onRetry', context, error, date);
    this.signal(context, 'taskRetry', (run) => ({
      ...describe(run),
      error,
      reason,
      retryAt: date,
    }));
  }

  revoked(request: TaskRequest | TaskIdentity, reason: RevokeReason): void {
    if (this.signals.has('taskRevoked')) {
      this.signals.emit('taskRevoked', { ...identify(request), ...readable(request), reason });
    }
  }

  unknown(name: string, id: string): void {
    if (this.signals.has('taskUnknown')) {
      this.signals.emit('taskUnknown', { task: name, id });
    }
  }

  rejected(request: TaskRequest | TaskIdentity, reason: string, requeue: boolean): void {
    if (this.signals.has('taskRejected')) {
      const fields = { ...identify(request), ...readable(request), reason, requeue };
      this.signals.emit('taskRejected', fields);
    }
  }

  postrun(context: TaskContext, state: RunState, value: unknown): void {
    this.signal(context, 'taskPostrun', (run) => ({ ...describe(run), state, result: value }));
  }

  private signal<N extends TaskSignalName>(
    context: TaskContext,
    name: N,
    fieldsOf: (context: TaskContext) => SignalFields<N>,
  ): void {
    if (this.signals.has(name)) {
      this.inOrder(context, () => {
        this.signals.emit(name, fieldsOf(context));
        return undefined;
      });
    }
  }

  private hook<H extends TaskHookKind>(
    kind: H,
    context: TaskContext,
    ...rest: TaskHookArguments[H] extends [TaskContext, ...infer R] ? R : never
  ): void {
    if (!this.hooks.has(context.name)) {
      return;
    }
    for (const { place, run } of this.hooks.of(context.name, kind)) {
      const args = [context, ...rest] as unknown as TaskHookArguments[H];
      this.inOrder(context, () => this.signals.calls.call(place, () => run(...args)));
    }
  }

  /** Takes a step of a run now, or when the async hook before it is over. */
  private inOrder(context: TaskContext, step: () => Promise<void> | undefined): void {
    const within = (): Promise<void> | undefined => TaskContext.run(context, step);
    const tail = this.tails.get(context);
    const next = tail
      ? this.signals.calls.track(`The hooks of ${context.name}`, tail.then(within))
      : within();
    if (next) {
      this.tails.set(context, next);
      void next.then(() => this.tails.get(context) === next && this.tails.delete(context));
    }
  }
}

function identify({ id, task }: TaskIdentity): { id: string; task: string } {
  return { id, task };
}

function readable(request: TaskRequest | TaskIdentity): { request: TaskRequest | null } {
  return { request: request instanceof TaskRequest ? request : null };
}

function describe(context: TaskContext): SignalFields<'taskPrerun'> {
  return { ...identify(context.request), request: context.request, context };
}
