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
    [{ maxRetries: 3 }, "Celery's 'maxRetries' is not part of this version"],
    [{ max_retries: 3 }, "Celery's 'maxRetries' is not part of this version"],
    [{ timeLimt: 3 }, "If you mean Celery's 'timeLimit': it is not part of this version"],
    [{ whatever123: 3 }, "'whatever123'. Remove it; the options are name, bind,"],
    [{ toString: 3 }, "'toString'"],
    [{ maxRetries: undefined }, "'maxRetries'"],
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
    const unknownOption = (): unknown => SharedTask({ maxRetries: 3 });
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
