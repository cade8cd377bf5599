import { describe, expect, it } from '@jest/globals';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { SharedTask, type TaskContext } from '../tasks/index.js';
import { ListenerMetadataAccessor } from './listener-metadata.accessor.js';
import { AfterReturn, BeforeStart, OnFailure, OnRetry, OnSuccess } from './task-hook.decorators.js';

const accessor = new ListenerMetadataAccessor();

describe('the decorators of hooks', () => {
  it('say what the method is a hook of', () => {
    class Mail {
      @SharedTask()
      send(to: string): string {
        return to;
      }

      @SharedTask()
      drop(): void {}

      @BeforeStart('send')
      begin(self: TaskContext): string {
        return self.name;
      }

      @OnSuccess('send', 'drop')
      sent(_self: TaskContext, _result: string): void {}

      @OnFailure()
      @OnRetry()
      async failed(_self: TaskContext, _error: Error): Promise<void> {}

      @AfterReturn()
      over(): void {}
    }
    const found = accessor
      .describe(Mail)
      .map(({ method, hooks }) => [
        method,
        ...hooks.map(({ decorator, kind, methods }) => `${decorator} ${kind} ${methods.join()}`),
      ]);
    expect(found).toEqual([
      ['begin', '@BeforeStart beforeStart send'],
      ['sent', '@OnSuccess onSuccess send,drop'],
      ['failed', '@OnFailure onFailure ', '@OnRetry onRetry '],
      ['over', '@AfterReturn afterReturn '],
    ]);
  });

  it.each([[''], [undefined], [3], [{ task: 'send' }]])('refuse %p as a method', (method) => {
    class Mail {
      failed(): void {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(Mail.prototype, 'failed')!;
    const untyped = OnFailure as (...names: unknown[]) => MethodDecorator;
    const decorate = (): void => void untyped(method)(Mail.prototype, 'failed', descriptor);
    expect(decorate).toThrow(ImproperlyConfigured);
    expect(decorate).toThrow('@OnFailure on Mail.failed takes the names of methods that are tasks');
  });

  it('refuse what is not an instance method', () => {
    class Mail {
      static failed(): void {}
      send(): void {}
    }
    const descriptor = Object.getOwnPropertyDescriptor(Mail, 'failed')!;
    expect(() => (OnFailure() as MethodDecorator)(Mail, 'failed', descriptor)).toThrow(
      '@OnFailure cannot stand on Mail.failed, which is a static method.',
    );
  });

  it('check at compile time that the class has the method, and what the hook takes', () => {
    class Mail {
      @SharedTask()
      send(): void {}

      // @ts-expect-error Mail has no method of that name
      @OnFailure('sent')
      failed(): void {}

      // @ts-expect-error the context comes first
      @OnSuccess('send')
      succeeded(result: string): string {
        return result;
      }
    }
    expect(accessor.describe(Mail)).toHaveLength(2);
  });
});
