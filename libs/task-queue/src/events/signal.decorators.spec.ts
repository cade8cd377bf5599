import { describe, expect, it } from '@jest/globals';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { SharedTask } from '../tasks/index.js';
import { ListenerMetadataAccessor } from './listener-metadata.accessor.js';
import * as decorators from './signal.decorators.js';
import {
  OnTaskFailure,
  OnTaskSuccess,
  OnWorkerReady,
  type SignalOptions,
} from './signal.decorators.js';
import type {
  TaskFailureEvent,
  TaskSuccessEvent,
  WorkerReadyEvent,
} from './signal-events.interface.js';

const accessor = new ListenerMetadataAccessor();

class Mail {
  @SharedTask()
  send(): void {}
}

/** Decorates `Audit.failed` with options that the compiler has not seen. */
function decorate(options: unknown): void {
  class Audit {
    failed(): void {}
  }
  const descriptor = Object.getOwnPropertyDescriptor(Audit.prototype, 'failed')!;
  OnTaskFailure(options as SignalOptions)(Audit.prototype, 'failed', descriptor);
}

describe('the decorators of signals', () => {
  it('are one for each signal, named after it', () => {
    const signals = Object.entries(decorators).map(([name, decorator]) => {
      class Listener {
        on(): void {}
      }
      const descriptor = Object.getOwnPropertyDescriptor(Listener.prototype, 'on')!;
      decorator()(Listener.prototype, 'on', descriptor);
      const [found] = accessor.describe(Listener);
      const { signal, decorator: text } = found!.subscriptions[0]!;
      expect([text, signal]).toEqual([`@${name}`, name.charAt(2).toLowerCase() + name.slice(3)]);
      return signal;
    });
    expect(signals.toSorted()).toEqual([
      'afterTaskPublish',
      'beforeTaskPublish',
      'taskFailure',
      'taskPostrun',
      'taskPrerun',
      'taskReceived',
      'taskRejected',
      'taskRetry',
      'taskRevoked',
      'taskSuccess',
      'taskUnknown',
      'workerInit',
      'workerReady',
      'workerShutdown',
      'workerShuttingDown',
    ]);
  });

  it('leave the method a plain method, and can be stacked', () => {
    class Audit {
      @OnTaskSuccess()
      @OnTaskFailure({ task: 'mail.*' })
      @OnTaskFailure({ task: [Mail, 'send'] })
      ended(event: TaskFailureEvent | TaskSuccessEvent): string {
        return event.signal;
      }
    }
    expect(new Audit().ended({ signal: 'taskSuccess' } as TaskSuccessEvent)).toBe('taskSuccess');
    expect(accessor.describe(Audit)).toEqual([
      {
        method: 'ended',
        place: 'Audit.ended',
        hooks: [],
        subscriptions: [
          { signal: 'taskSuccess', decorator: '@OnTaskSuccess' },
          { signal: 'taskFailure', decorator: '@OnTaskFailure', task: 'mail.*' },
          { signal: 'taskFailure', decorator: '@OnTaskFailure', task: [Mail, 'send'] },
        ],
      },
    ]);
  });

  it('are inherited, but for a method that is overridden without one', () => {
    class Base {
      @OnTaskFailure()
      failed(): void {}

      @OnTaskSuccess()
      succeeded(): void {}
    }
    class Child extends Base {
      override failed(): void {}
    }
    class Again extends Child {
      @OnWorkerReady()
      override failed(): void {}
    }
    const listening = (cls: new () => Base): string[] =>
      accessor.describe(cls).map(({ place, subscriptions }) => {
        return `${place}: ${subscriptions.map(({ signal }) => signal).join()}`;
      });
    expect(listening(Base)).toEqual(['Base.failed: taskFailure', 'Base.succeeded: taskSuccess']);
    expect(listening(Child)).toEqual(['Child.succeeded: taskSuccess']);
    expect(listening(Again)).toEqual(['Again.failed: workerReady', 'Again.succeeded: taskSuccess']);
  });

  it.each([
    [null, "takes { task } and nothing else, for example { task: 'demoapp.*' }."],
    ['mail.send', 'Put what you gave it into { task }.'],
    [Mail, 'Put what you gave it into { task }.'],
    [['mail.send'], 'Put what you gave it into { task }.'],
    [{ tasks: 'mail.send' }, "Remove 'tasks'."],
    [{ task: undefined }, 'must be the name of a task'],
    [{ task: 3 }, 'must be the name of a task'],
  ])('refuse %p in place of options', (options, sentence) => {
    expect(() => decorate(options)).toThrow(ImproperlyConfigured);
    expect(() => decorate(options)).toThrow(sentence);
    expect(() => decorate(options)).toThrow('@OnTaskFailure on Audit.failed');
  });

  it('refuse what is not an instance method', () => {
    class Audit {
      static failed(): void {}
      get seen(): () => void {
        return () => {};
      }
      [Symbol.iterator](): void {}
    }
    const at = (target: object, key: string | symbol) => () => {
      const descriptor = Object.getOwnPropertyDescriptor(target, key)!;
      (OnTaskFailure() as MethodDecorator)(target, key, descriptor);
    };
    expect(at(Audit, 'failed')).toThrow(
      '@OnTaskFailure cannot stand on Audit.failed, which is a static method.',
    );
    expect(at(Audit.prototype, 'seen')).toThrow('a property or an accessor');
    expect(at(Audit.prototype, 'missing')).toThrow('a property or an accessor');
    expect(at(Audit.prototype, Symbol.iterator)).toThrow('a symbol for its name');
  });

  it('check at compile time what the method takes and which method is named', () => {
    class Audit {
      @OnTaskFailure({ task: [Mail, 'send'] })
      async failed({ error, request, context }: TaskFailureEvent): Promise<unknown> {
        return [error, request.args, context.name];
      }

      // @ts-expect-error a success has no error
      @OnTaskSuccess()
      succeeded({ error }: TaskFailureEvent): unknown {
        return error;
      }

      @OnWorkerReady()
      ready({ hostname, queues }: WorkerReadyEvent): unknown {
        return [hostname, queues];
      }
    }
    const wrong = (): unknown[] => [
      // @ts-expect-error Mail has no such method
      OnTaskFailure({ task: [Mail, 'sent'] }),
      // @ts-expect-error a worker is no task
      OnWorkerReady({ task: 'mail.send' }),
    ];
    expect(wrong).not.toThrow();
    expect(accessor.describe(Audit)).toHaveLength(3);
  });
});
