import { describe, expect, it } from '@jest/globals';

import type { AsyncResult } from '../results/index.js';
import { SharedTask, type TaskContext } from '../tasks/index.js';
import type { TaskHandle } from './task.handle.js';
import type { TaskHandles } from './task.proxy.js';
import type { TaskClient } from './task.client.js';
import type { TaskArgs, TaskReturn } from './task-types.js';

declare module './task-map.interface.js' {
  interface TaskMap {
    'spec.add': Tasks['add'];
    'spec.bound': Tasks['bound'];
  }
}

class Tasks {
  readonly version = 1;

  @SharedTask()
  add(x: number, y: number): number {
    return x + y;
  }

  @SharedTask({ bind: true })
  async bound(self: TaskContext, text: string): Promise<string> {
    return self.name + text;
  }

  @SharedTask()
  optional(x: number, y?: string, ...more: boolean[]): number {
    return x + (y?.length ?? 0) + more.length;
  }

  @SharedTask()
  loose(value: any): void {
    void value;
  }
}

// oxlint-disable typescript/no-unnecessary-type-parameters -- the one way to compare two types
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
// oxlint-enable typescript/no-unnecessary-type-parameters
function same<A, B>(isSame: Same<A, B>): void {
  expect(isSame).toBe(true);
}

/** Checked by the compiler, never run. */
function calls(handles: TaskHandles<Tasks>, client: TaskClient): Promise<unknown>[] {
  return [
    handles.add.delay(2, 3) satisfies Promise<AsyncResult<number>>,
    handles.bound.delay('x') satisfies Promise<AsyncResult<string>>,
    handles.optional.delay(1),
    handles.optional.delay(1, 'x', true, false),
    handles.loose.delay(new Map()),
    handles.add.applyAsync([2, 3], { countdown: 10, queue: 'math', expires: '1m' }),
    handles.add.applyAsync([2], { kwargs: { y: 3 } }),
    handles.add.apply([2, 3], { throw: true }),
    // @ts-expect-error -- an argument is missing
    handles.add.delay(2),
    // @ts-expect-error -- one is too many
    handles.add.delay(2, 3, 4),
    // @ts-expect-error -- of a wrong type
    handles.add.delay(2, '3'),
    // @ts-expect-error -- the context is not the caller's to give
    handles.bound.delay({} as TaskContext, 'x'),
    // @ts-expect-error -- the array is too short
    handles.add.applyAsync([2]),
    // @ts-expect-error -- the array is not there
    handles.add.applyAsync(),
    // @ts-expect-error -- there is no such option
    handles.add.applyAsync([2, 3], { countDown: 10 }),
    // @ts-expect-error -- a field is not a task
    handles.version,
    // @ts-expect-error -- nor is what is not there
    handles.missing,

    client.delay('spec.add', 2, 3) satisfies Promise<AsyncResult<number>>,
    client.applyAsync('spec.add', [2, 3], { countdown: 1 }),
    client.delay('spec.bound', 'x') satisfies Promise<AsyncResult<string>>,
    client.task('spec.add').delay(2, 3) satisfies Promise<AsyncResult<number>>,
    client.delay('unknown.task', 1, 'anything', {}),
    client.applyAsync('unknown.task'),
    client.applyAsync('unknown.task', [1, 2, 3], { queue: 'q' }),
    client.of(Tasks).add.delay(1, 2) satisfies Promise<AsyncResult<number>>,
    // @ts-expect-error -- an argument is missing
    client.delay('spec.add', 2),
    // @ts-expect-error -- of a wrong type
    client.applyAsync('spec.add', [2, '3']),
    // @ts-expect-error -- of a wrong type
    client.task('spec.bound').delay(5),
  ] as Promise<unknown>[];
}

describe('the types of calls', () => {
  it('are those of the method, without the context and the promise', () => {
    expect(typeof calls).toBe('function');
    same<TaskArgs<Tasks['add']>, [x: number, y: number]>(true);
    same<TaskArgs<Tasks['bound']>, [text: string]>(true);
    same<TaskArgs<Tasks['optional']>, [x: number, y?: string, ...more: boolean[]]>(true);
    same<TaskArgs<Tasks['loose']>, [value: any]>(true);
    same<TaskReturn<Tasks['bound']>, string>(true);
    same<keyof TaskHandles<Tasks>, 'add' | 'bound' | 'optional' | 'loose'>(true);
    same<TaskHandles<Tasks>['add'], TaskHandle<[x: number, y: number], number>>(true);
  });
});
