import { describe, expect, it } from '@jest/globals';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { SharedTask } from './shared-task.decorator.js';
import { TaskCtx } from './task-ctx.decorator.js';
import { TaskContext } from './task.context.js';
import { TaskMetadataAccessor } from './task-metadata.accessor.js';
import { TaskNamespace } from './task-namespace.decorator.js';

class DemoTasks {
  constructor() {
    throw new Error('A class is described without an instance.');
  }

  @SharedTask()
  add(x: number, y: number): number {
    return x + y;
  }

  @SharedTask({ name: 'anything.else' })
  renamed(): void {}

  helper(): void {}

  get computed(): never {
    throw new Error('Accessors are not read.');
  }
}

@TaskNamespace('base.tasks')
class Base {
  @SharedTask({ queue: 'base' })
  inherited(): string {
    return 'base';
  }

  @SharedTask({ queue: 'base' })
  redecorated(): void {}

  @SharedTask()
  overridden(): void {}
}

class Middle extends Base {
  @SharedTask({ queue: 'middle' })
  override redecorated(): void {}

  override overridden(): void {}
}

@TaskNamespace('leaf')
class Leaf extends Middle {
  @SharedTask()
  own(): void {}
}

function methodOf(cls: { readonly prototype: object }, name: string): unknown {
  return Reflect.get(cls.prototype, name);
}

describe('TaskMetadataAccessor', () => {
  const accessor = new TaskMetadataAccessor();
  const names = (cls: new () => unknown): string[] =>
    accessor.describeTasks(cls).map(({ name }) => name);

  it('names tasks after the class and the method, without an instance', () => {
    expect(names(DemoTasks)).toEqual(['DemoTasks.add', 'anything.else']);
  });

  it('describes a task', () => {
    const [definition] = accessor.describeTasks(DemoTasks);
    expect(definition).toEqual({
      name: 'DemoTasks.add',
      provider: DemoTasks,
      method: 'add',
      handler: methodOf(DemoTasks, 'add'),
      options: {},
      injectedParameters: [],
      place: 'DemoTasks.add',
    });
    expect(Object.isFrozen(definition)).toBe(true);
  });

  it('says which parameters are injected', () => {
    class Injected {
      @SharedTask()
      run(_a: number, @TaskCtx() _context: TaskContext, _b: number): void {}

      @SharedTask()
      plain(_a: number): void {}
    }
    expect(accessor.describeTasks(Injected).map((task) => task.injectedParameters)).toEqual([
      [1],
      [],
    ]);
  });

  it('inherits tasks and the nearest namespace', () => {
    expect(names(Base)).toEqual([
      'base.tasks.inherited',
      'base.tasks.redecorated',
      'base.tasks.overridden',
    ]);
    expect(accessor.getNamespace(Middle)).toBe('base.tasks');
    expect(accessor.getNamespace(Leaf)).toBe('leaf');
    expect(names(Leaf)).toEqual(['leaf.own', 'leaf.redecorated', 'leaf.inherited']);
  });

  it('lets the override win: its options, or no task when it is not decorated', () => {
    const definitions = accessor.describeTasks(Middle);
    expect(definitions.map(({ method, options }) => [method, options.queue])).toEqual([
      ['redecorated', 'middle'],
      ['inherited', 'base'],
    ]);
    expect(definitions[1]!.place).toBe('Middle.inherited');
    expect(definitions[0]!.handler).toBe(methodOf(Middle, 'redecorated'));
  });

  it('knows nothing of what is not a task', () => {
    expect(accessor.getTask(methodOf(DemoTasks, 'helper'))).toBeUndefined();
    expect(accessor.getTask(undefined)).toBeUndefined();
    expect(accessor.getTask({})).toBeUndefined();
    expect(accessor.describeTasks((() => {}) as never)).toEqual([]);
  });

  it('refuses an unnamed class without a namespace', () => {
    class Named {
      @SharedTask()
      send(): void {}
    }
    const unnamed = Object.defineProperty(Named, 'name', { value: '' });
    expect(() => accessor.describeTasks(unnamed)).toThrow(ImproperlyConfigured);
    expect(() => accessor.describeTasks(unnamed)).toThrow('has no name');
    TaskNamespace('mail')(unnamed);
    expect(names(unnamed)).toEqual(['mail.send']);
  });

  it('refuses a name that is composed too long', () => {
    @TaskNamespace('x'.repeat(200))
    class Long {
      @SharedTask()
      send(): void {}
    }
    expect(() => accessor.describeTasks(Long)).toThrow('of Long.send is not valid');
  });
});
