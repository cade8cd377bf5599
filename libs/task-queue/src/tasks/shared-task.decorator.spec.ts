import { describe, expect, it } from '@jest/globals';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { SharedTask } from './shared-task.decorator.js';
import { TaskContext } from './task.context.js';
import { TaskMetadataAccessor } from './task-metadata.accessor.js';
import { TaskNamespace } from './task-namespace.decorator.js';
import type { SharedTaskOptions } from './task-options.interface.js';

const accessor = new TaskMetadataAccessor();

/** Decorates `Mail.send` with options that the compiler has not seen. */
function decorate(options: unknown): void {
  class Mail {
    send(): void {}
  }
  const descriptor = Object.getOwnPropertyDescriptor(Mail.prototype, 'send')!;
  SharedTask(options as SharedTaskOptions)(Mail.prototype, 'send', descriptor);
}

function methodOf(cls: { readonly prototype: object }, name: string): unknown {
  return Reflect.get(cls.prototype, name);
}

describe('SharedTask', () => {
  it('leaves the method a plain method', () => {
    class Mail {
      @SharedTask()
      add(x: number, y: number): number {
        return x + y;
      }
    }
    expect(new Mail().add(2, 3)).toBe(5);
    expect(accessor.getTask(methodOf(Mail, 'add'))).toEqual({});
  });

  it('keeps a frozen copy of the options and drops the undefined ones', () => {
    const throws: ErrorConstructor[] = [TypeError];
    const options = { name: 'a.b', expires: '2h', queue: undefined, throws };
    class Mail {
      @SharedTask(options)
      send(): void {}
    }
    options.name = 'changed';
    throws.push(RangeError);
    const kept = accessor.getTask(methodOf(Mail, 'send'))!;
    expect(kept).toEqual({ name: 'a.b', expires: '2h', throws: [TypeError] });
    expect(Object.isFrozen(kept)).toBe(true);
    expect(Object.isFrozen(kept.throws)).toBe(true);
    expect('queue' in kept).toBe(false);
  });

  it.each([
    [{ ignorResult: true }, "'ignorResult'. Did you mean 'ignoreResult'?"],
    [{ ignore_result: true }, "'ignore_result'. It is written 'ignoreResult'."],
    [{ rateLimit: '1/s' }, "Celery's 'rateLimit' is not part of this version"],
    [{ rate_limit: '1/s' }, "Celery's 'rateLimit' is not part of this version"],
    [{ max_retries: 3 }, "It is written 'maxRetries'"],
    [{ rateLimt: 3 }, "If you mean Celery's 'rateLimit': it is not part of this version"],
    [{ whatever123: 3 }, "'whatever123'. Remove it; the options are name, bind,"],
    [{ toString: 3 }, "'toString'"],
    [{ rateLimit: undefined }, "'rateLimit'"],
  ])('refuses the unknown option of %j', (options, sentence) => {
    expect(() => decorate(options)).toThrow(ImproperlyConfigured);
    expect(() => decorate(options)).toThrow(sentence);
    expect(() => decorate(options)).toThrow('Mail.send');
  });

  it.each([
    [{ name: '' }, 'it is ""'],
    [{ name: 'a b' }, '"a b"'],
    [{ name: 'x'.repeat(201) }, '1 to 200'],
    [{ name: 7 }, 'it is 7'],
    [{ bind: 'yes' }, 'true or false; it is "yes"'],
    [{ queue: 'a:b' }, 'the name of a queue'],
    [{ queue: '' }, 'the name of a queue'],
    [{ expires: 0 }, 'seconds above 0'],
    [{ expires: Number.NaN }, 'seconds above 0'],
    [{ expires: Infinity }, 'seconds above 0'],
    [{ expires: 'soon' }, 'seconds above 0'],
    [{ expires: '2 parsecs' }, 'seconds above 0'],
    [{ expires: '0s' }, 'seconds above 0'],
    [{ expires: new Date() }, 'seconds above 0'],
    [{ serializer: 'pickle' }, '"json"; it is "pickle"'],
    [{ throws: TypeError }, 'a list of error classes; it is a function'],
    [{ throws: ['TypeError'] }, 'a list of error classes; it is a list'],
    [{ description: null }, 'a text; it is null'],
    [{ priority: 10 }, 'from 0 to 9, higher first; it is 10'],
    [{ maxRetries: -1 }, 'an integer from 0, or null for no end; it is -1'],
    [{ maxRetries: Infinity }, 'or null for no end'],
    [{ defaultRetryDelay: -1 }, 'seconds from 0, or a duration'],
    [{ defaultRetryDelay: 'soon' }, 'seconds from 0, or a duration'],
    [{ autoretryFor: TypeError }, 'a list of error classes; it is a function'],
    [{ dontAutoretryFor: ['TypeError'] }, 'a list of error classes; it is a list'],
    [{ retryKwargs: { max_retries: 3 } }, 'an object with maxRetries'],
    [{ retryKwargs: { maxRetries: null } }, 'an object with maxRetries'],
    [{ retryKwargs: 3 }, 'an object with maxRetries'],
    [{ retryBackoff: 0.5 }, 'true, false, or whole seconds'],
    [{ retryBackoffMax: '10m' }, 'whole seconds from 0'],
    [{ retryJitter: 1 }, 'true or false'],
    [{ retryDelay: 3 }, 'a function that gives seconds'],
    [{ retryDelay: async () => 3 }, 'a function that gives seconds'],
    [{ acksLate: 'no' }, 'true or false; it is "no"'],
  ])('refuses the value in %j', (options, sentence) => {
    expect(() => decorate(options)).toThrow(ImproperlyConfigured);
    expect(() => decorate(options)).toThrow(sentence);
  });

  it.each([null, 'mail.send', ['mail.send'], 3])('refuses %j in place of options', (options) => {
    expect(() => decorate(options)).toThrow('takes an object of options');
  });

  it('accepts every name in letters, digits, "_", ".", "-" and "$"', () => {
    expect(() => decorate({ name: 'Über-app.tasks_2.$send' })).not.toThrow();
    expect(() => decorate({ name: 'x'.repeat(200) })).not.toThrow();
  });

  it('refuses what is not an instance method', () => {
    class Mail {
      static send(): void {}
      get sent(): () => void {
        return () => {};
      }
      [Symbol.iterator](): void {}
    }
    const decorateAt = (target: object, key: string | symbol) => () => {
      const descriptor = Object.getOwnPropertyDescriptor(target, key)!;
      (SharedTask() as MethodDecorator)(target, key, descriptor);
    };
    expect(decorateAt(Mail, 'send')).toThrow('Mail.send, which is a static method');
    expect(decorateAt(Mail.prototype, 'sent')).toThrow('a property or an accessor');
    expect(decorateAt(Mail.prototype, 'missing')).toThrow('a property or an accessor');
    expect(decorateAt(Mail.prototype, Symbol.iterator)).toThrow('a symbol for its name');
  });

  it('checks at compile time that a bound method takes the context first', () => {
    class Mail {
      @SharedTask({ bind: true })
      bound(self: TaskContext, to: string): string {
        return `${self.name} ${to}`;
      }

      @SharedTask({ bind: true, name: 'mail.any' })
      async loose(_self: unknown): Promise<void> {}

      // Refused by the compiler only: nothing tells at run time what a parameter is.
      // @ts-expect-error the first parameter is not a TaskContext
      @SharedTask({ bind: true })
      wrong(to: string): string {
        return to;
      }

      // @ts-expect-error there is no first parameter
      @SharedTask({ bind: true })
      none(): void {}

      @SharedTask({ bind: false })
      free(to: string): string {
        return to;
      }
    }
    // @ts-expect-error not an option of this version
    const unknownOption = (): unknown => SharedTask({ rateLimit: '1/s' });
    expect(unknownOption).not.toThrow();
    expect(accessor.getTask(methodOf(Mail, 'bound'))).toEqual({ bind: true });
  });
});

describe('TaskNamespace', () => {
  it.each(['', 'demo app', 'x'.repeat(201), undefined, 3])('refuses %j', (namespace) => {
    class Mail {
      send(): void {}
    }
    expect(() => TaskNamespace(namespace as string)(Mail)).toThrow(ImproperlyConfigured);
    expect(() => TaskNamespace(namespace as string)(Mail)).toThrow('@TaskNamespace on Mail');
  });
});
