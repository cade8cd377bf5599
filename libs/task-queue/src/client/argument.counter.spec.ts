import { describe, expect, it } from '@jest/globals';

import { TaskContext, TaskCtx, TaskMetadataAccessor, SharedTask } from '../tasks/index.js';
import { ArgumentCounter } from './argument.counter.js';

class Tasks {
  @SharedTask()
  add(x: number, y: number): number {
    return x + y;
  }

  @SharedTask()
  none(): void {}

  @SharedTask()
  one(x: number): number {
    return x;
  }

  @SharedTask()
  three(x: number, { y }: { y: number }, z: number): number {
    return x + y + z;
  }

  @SharedTask()
  defaults(x: number, y = 1, z = 2): number {
    return x + y + z;
  }

  @SharedTask()
  rest(x: number, ...more: number[]): number {
    return x + more.length;
  }

  @SharedTask({ bind: true })
  bound(self: TaskContext, x: number): string {
    return self.name + x;
  }

  @SharedTask()
  injected(x: number, @TaskCtx() context: TaskContext, y: number): string {
    return context.name + x + y;
  }

  @SharedTask({ typing: false })
  untyped(x: number): number {
    return x;
  }
}

const definitions = new TaskMetadataAccessor().describeTasks(Tasks);
const counter = new ArgumentCounter();

function call(method: keyof Tasks, args: unknown[], kwargs = {}, isCompiled = false): void {
  counter.check(
    definitions.find((item) => item.method === method)!,
    args,
    kwargs,
    isCompiled,
  );
}

describe('ArgumentCounter', () => {
  it.each<[keyof Tasks, unknown[], string]>([
    ['add', [1, 2, 3], 'add() takes 2 positional arguments but 3 were given'],
    ['none', [1], 'none() takes 0 positional arguments but 1 was given'],
    ['one', [1, 2], 'one() takes 1 positional argument but 2 were given'],
    [
      'defaults',
      [1, 2, 3, 4],
      'defaults() takes from 1 to 3 positional arguments but 4 were given',
    ],
    ['bound', [1, 2], 'bound() takes 1 positional argument but 2 were given'],
    ['injected', [1, 2, 3], 'injected() takes 2 positional arguments but 3 were given'],
  ])('refuses too many for %s, in Celery words', (method, args, message) => {
    for (const isCompiled of [false, true]) {
      expect(() => call(method, args, {}, isCompiled)).toThrow(new TypeError(message));
    }
  });

  it.each<[keyof Tasks, unknown[], string]>([
    ['add', [1], "add() missing 1 required positional argument: 'y'."],
    ['add', [], "add() missing 2 required positional arguments: 'x' and 'y'."],
    ['three', [], "three() missing 3 required positional arguments: 'x', an object, and 'z'."],
    ['defaults', [], "defaults() missing 1 required positional argument: 'x'."],
    ['rest', [], "rest() missing 1 required positional argument: 'x'."],
    ['bound', [], "bound() missing 1 required positional argument: 'x'."],
    ['injected', [1], "injected() missing 1 required positional argument: 'y'."],
  ])('refuses too few for %s in a call by name', (method, args, message) => {
    expect(() => call(method, args)).toThrow(TypeError);
    expect(() => call(method, args)).toThrow(message);
  });

  it('leaves too few to the compiler where it has seen the call', () => {
    expect(() => call('add', [1], {}, true)).not.toThrow();
  });

  it.each<[keyof Tasks, unknown[], object]>([
    ['add', [1, 2], {}],
    ['add', [1], { y: 2 }],
    ['defaults', [1], {}],
    ['defaults', [1, 2, 3], {}],
    ['rest', [1, 2, 3, 4, 5], { a: 1 }],
    ['bound', [1], {}],
    ['injected', [1, 2], {}],
    ['untyped', [], {}],
    ['untyped', [1, 2, 3], {}],
  ])('takes a call of %s with %j and %j', (method, args, kwargs) => {
    expect(() => call(method, args, kwargs)).not.toThrow();
  });

  it('counts keyword arguments as the one object that they become', () => {
    expect(() => call('add', [1, 2], { z: 1 })).toThrow(/takes 2 positional arguments but 3/);
  });
});
