import type { AsyncResult, EagerResult } from '../results/index.js';
import type { ApplyOptions, EagerOptions } from './apply-options.interface.js';
import type { CallTarget, TaskCaller } from './task.caller.js';

/** The parameters of `applyAsync`: the array may be left out when it may be empty. */
export type ApplyParameters<A extends unknown[], O> = [] extends A
  ? [args?: Readonly<A>, options?: O]
  : [args: Readonly<A>, options?: O];

/** The same when keyword arguments are given, which stand in for arguments at the end. */
export type ApplyWithKwargs<O> = [
  args: readonly unknown[],
  options: O & { readonly kwargs: Readonly<Record<string, unknown>> },
];

/**
 * A task, as its callers see it. From `TaskClient.of()` or `TaskClient.task()`.
 *
 * @typeParam A - Its arguments, without the `TaskContext`.
 * @typeParam R - What it returns; of a promise, the value.
 */
export class TaskHandle<A extends unknown[] = any[], R = any> {
  readonly #caller: TaskCaller;
  readonly #target: CallTarget;

  constructor(caller: TaskCaller, target: CallTarget) {
    this.#caller = caller;
    this.#target = target;
  }

  /** The name of the task, for example `demoapp.tasks.add`. */
  get name(): string {
    return this.#target.name;
  }

  /**
   * Publishes a call with these arguments. When it resolves, the task is stored.
   *
   * @throws TypeError - There are too many arguments, or too few in a call by name.
   * @throws EncodeError - An argument cannot be encoded; `path` says which.
   * @throws OperationalError - The broker cannot be reached within `task_publish_timeout`.
   */
  delay(...args: A): Promise<AsyncResult<R>> {
    return this.#caller.call(this.#target, args, undefined);
  }

  /**
   * The same with options: `add.applyAsync([2, 3], { countdown: 10 })`. Celery's `apply_async`.
   *
   * @throws TypeError - As `delay`, and when an option is wrong.
   */
  applyAsync(
    ...[args, options]: ApplyParameters<A, ApplyOptions> | ApplyWithKwargs<ApplyOptions>
  ): Promise<AsyncResult<R>> {
    return this.#caller.call(this.#target, args, options);
  }

  /**
   * Runs the task here and now, in this process. Countdown, eta and expires are passed over.
   *
   * @returns What came of it; an error of the task is in it, unless `throw` is given.
   * @throws NotRegistered - No module of this process provides the task.
   */
  apply(
    ...[args, options]: ApplyParameters<A, EagerOptions> | ApplyWithKwargs<EagerOptions>
  ): Promise<EagerResult<R>> {
    return this.#caller.apply(this.#target, args, options);
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `<@task: ${this.name}>`;
  }
}
