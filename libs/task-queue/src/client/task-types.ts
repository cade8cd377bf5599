import type { TaskContext } from '../tasks/index.js';
import type { TaskMap } from './task-map.interface.js';

type AnyFunction = (...args: any[]) => unknown;
type IsAny<T> = 0 extends 1 & T ? true : false;
type StripContext<A extends unknown[]> = A extends [infer First, ...infer Rest]
  ? IsAny<First> extends true
    ? A
    : [First] extends [TaskContext]
      ? Rest
      : A
  : A;

/** The arguments that a call of the task takes: those of the method without its `TaskContext`. */
export type TaskArgs<F> = F extends (...args: infer A) => unknown ? StripContext<A> : never;

/** What the task gives: the value of the promise when the method returns one. */
export type TaskReturn<F> = F extends (...args: any[]) => infer R ? Awaited<R> : never;

/** The name of a task: those in `TaskMap` are offered, any other is taken. */
// eslint-disable-next-line typescript/no-redundant-type-constituents -- empty until merged into
export type TaskName = keyof TaskMap | (string & {});

/** The arguments of a task by name; any for a name that `TaskMap` does not have. */
export type ArgsOf<N> = N extends keyof TaskMap ? TaskArgs<TaskMap[N]> : any[];

/** The result of a task by name; `any` for a name that `TaskMap` does not have. */
export type ReturnOf<N> = N extends keyof TaskMap ? TaskReturn<TaskMap[N]> : any;

/** The names of the methods of a provider. */
export type MethodsOf<T> = {
  [K in keyof T]-?: IsAny<T[K]> extends true ? never : T[K] extends AnyFunction ? K : never;
}[keyof T];
