import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { ModuleMetadata, OnModuleInit, Provider, Type } from '@nestjs/common';
import { Inject, Injectable, Logger, Module, Scope } from '@nestjs/common';
import { DiscoveryModule, LazyModuleLoader } from '@nestjs/core';
import type { TestingModule } from '@nestjs/testing';
import { Test } from '@nestjs/testing';
import { ManualClock } from '../clock/index.js';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { SharedTask, TaskContext, TaskNamespace } from '../tasks/index.js';
import { ListenerExplorer } from './listener.explorer.js';
import { OnTaskSuccess, OnTaskUnknown, OnWorkerReady } from './signal.decorators.js';
import type { TaskUnknownEvent } from './signal-events.interface.js';
import { AfterReturn, OnFailure, OnSuccess } from './task-hook.decorators.js';
import { TaskHookRegistry } from './task-hook.registry.js';
import { TaskSignals } from './task.signals.js';

const NEW_SIGNALS = {
  provide: TaskSignals,
  useFactory: (): TaskSignals => new TaskSignals(new ManualClock()),
};

@Injectable()
class Starter implements OnModuleInit {
  constructor(private readonly explorer: ListenerExplorer) {}

  onModuleInit(): void {
    this.explorer.explore();
  }
}

@Module({
  imports: [DiscoveryModule],
  providers: [NEW_SIGNALS, TaskHookRegistry, ListenerExplorer, Starter],
  exports: [TaskSignals, TaskHookRegistry, ListenerExplorer],
})
class EventsModule {}

@TaskNamespace('mail')
@Injectable()
class Mail {
  readonly failures: unknown[] = [];

  @SharedTask()
  send(): void {}

  @SharedTask()
  drop(): void {}

  @OnFailure('send')
  failed(self: TaskContext, error: unknown): void {
    this.failures.push([self.name, error]);
  }
}

@Injectable()
class Audit {
  readonly seen: string[] = [];

  @OnTaskUnknown()
  unknown({ task }: TaskUnknownEvent): void {
    this.seen.push(task);
  }

  helper(): void {}
}

function moduleWith(name: string, ...providers: Provider[]): Type {
  @Module({ providers })
  class AnyModule {}
  return Object.defineProperty(AnyModule, 'name', { value: name });
}

let apps: TestingModule[];
let lines: string[];

async function start(metadata: ModuleMetadata): Promise<TestingModule> {
  const imports = [EventsModule, ...(metadata.imports ?? [])];
  const app = await Test.createTestingModule({ ...metadata, imports }).compile();
  apps.push(app);
  return app.init();
}

function boot(...providers: Provider[]): Promise<TestingModule> {
  return start({ imports: [moduleWith('AppModule', ...providers)] });
}

function emitUnknown(app: TestingModule, ...tasks: string[]): void {
  tasks.forEach((task) => app.get(TaskSignals).emit('taskUnknown', { task, id: 'id-1' }));
}

beforeEach(() => {
  apps = [];
  lines = [];
  const note = (level: string) => (message: unknown) =>
    void lines.push(`${level}: ${String(message)}`);
  for (const level of ['debug', 'error', 'warn'] as const) {
    jest.spyOn(Logger.prototype, level).mockImplementation(note(level));
  }
});

afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  jest.restoreAllMocks();
});

describe('listeners', () => {
  it('are found on class providers, values and what factories return', async () => {
    const given = new Audit();
    const app = await boot(
      Audit,
      { provide: 'VALUE', useValue: given },
      { provide: 'MADE', useFactory: async () => new Audit() },
      { provide: 'CLASS', useClass: class Other extends Audit {} },
    );
    emitUnknown(app, 'mail.send');
    const told = [Audit, 'VALUE', 'MADE', 'CLASS'].map((token) => {
      return app.get<Audit>(token, { strict: false }).seen;
    });
    expect(told).toEqual([['mail.send'], ['mail.send'], ['mail.send'], ['mail.send']]);
    expect(given.seen).toEqual(['mail.send']);
  });

  it('cost nothing when there are none', async () => {
    const app = await boot(
      Mail,
      { provide: 'NULL', useValue: null },
      { provide: 'NUMBER', useValue: 3 },
      { provide: 'CLASS', useValue: Audit },
      { provide: 'BARE', useValue: Object.create(null) as unknown },
      { provide: 'NOTHING', useFactory: () => undefined },
    );
    expect(app.get(TaskSignals).has('taskUnknown')).toBe(false);
  });

  it('are called once, under however many tokens the instance is provided', async () => {
    const app = await boot(
      { provide: 'FIRST', useFactory: (audit: Audit) => audit, inject: [Audit] },
      { provide: 'ALIAS', useExisting: Audit },
      Audit,
    );
    app.get(ListenerExplorer).explore();
    emitUnknown(app, 'mail.send');
    expect(app.get(Audit, { strict: false }).seen).toEqual(['mail.send']);
    expect(lines.filter((line) => line.startsWith('warn'))).toEqual([]);
  });

  it('are called once, however many filters of the method match', async () => {
    @Injectable()
    class Filtered extends Audit {
      @OnTaskUnknown({ task: 'mail.*' })
      @OnTaskUnknown({ task: [Mail, 'send'] })
      @OnTaskUnknown({ task: 'sms.send' })
      override unknown(event: TaskUnknownEvent): void {
        super.unknown(event);
      }
    }
    const app = await boot(Filtered);
    emitUnknown(app, 'mail.send', 'sms.send', 'sms.drop', 'mail.other');
    const { seen } = app.get(Filtered, { strict: false });
    expect(seen).toEqual(['mail.send', 'sms.send', 'mail.other']);
  });

  it('of a subclass include the inherited ones, but for undecorated overrides', async () => {
    @Injectable()
    class Deaf extends Audit {
      override unknown(): void {
        this.seen.push('never');
      }
    }
    @Injectable()
    class Child extends Audit {
      @OnWorkerReady()
      ready(): void {}
    }
    const app = await boot(Deaf, Child);
    emitUnknown(app, 'mail.send');
    expect(app.get(Deaf, { strict: false }).seen).toEqual([]);
    expect(app.get(Child, { strict: false }).seen).toEqual(['mail.send']);
    expect(app.get(TaskSignals).has('workerReady')).toBe(true);
  });

  it('that throw are logged with class, method and module', async () => {
    @Injectable()
    class Broken {
      @OnTaskUnknown()
      unknown(): void {
        throw new Error('boom');
      }
    }
    const app = await boot(Broken, Audit);
    emitUnknown(app, 'mail.send');
    expect(lines).toContain(
      'error: The listener Broken.unknown in AppModule of taskUnknown raised ' +
        "Error('boom'). The task and the worker go on.",
    );
    expect(app.get(Audit, { strict: false }).seen).toEqual(['mail.send']);
  });

  it('of one class in two modules are called twice, with a warning', async () => {
    const app = await start({
      imports: [moduleWith('OneModule', Audit), moduleWith('TwoModule', Audit)],
    });
    expect(lines).toContain(
      'warn: Audit is provided twice, in OneModule and TwoModule, and its listeners are called ' +
        'twice. Provide it in one module and let the others import that module.',
    );
    const seen: string[] = [];
    jest.spyOn(Audit.prototype, 'unknown').mockImplementation(({ task }) => void seen.push(task));
    emitUnknown(app, 'mail.send');
    expect(seen).toEqual(['mail.send', 'mail.send']);
  });

  it('may be spied on', async () => {
    const app = await boot(Audit);
    const spy = jest.spyOn(app.get(Audit, { strict: false }), 'unknown').mockReturnValue();
    emitUnknown(app, 'mail.send');
    expect(spy).toHaveBeenCalledWith({ signal: 'taskUnknown', task: 'mail.send', id: 'id-1' });
  });

  it('of lazily loaded modules are found when it is called again', async () => {
    const app = await boot();
    await app.get(LazyModuleLoader).load(() => moduleWith('LazyModule', Audit));
    expect(app.get(TaskSignals).has('taskUnknown')).toBe(false);
    app.get(ListenerExplorer).explore();
    expect(app.get(TaskSignals).has('taskUnknown')).toBe(true);
  });

  it('are logged when they are found', async () => {
    await boot(Audit, Mail);
    expect(lines).toEqual([
      'debug: Mapped listener {Audit.unknown, taskUnknown}',
      'debug: Mapped hook {Mail.failed, onFailure}',
    ]);
  });

  it('of two applications in one process do not meet', async () => {
    const [one, two] = [await boot(Audit), await boot(Audit)];
    emitUnknown(one, 'mail.send');
    expect(one.get(Audit, { strict: false }).seen).toEqual(['mail.send']);
    expect(two.get(Audit, { strict: false }).seen).toEqual([]);
  });

  it('are refused when a filter names what is no task', async () => {
    @Injectable()
    class Wrong {
      @OnTaskSuccess({ task: Audit })
      on(): void {}
    }
    await expect(boot(Wrong)).rejects.toThrow(
      '@OnTaskSuccess on Wrong.on listens to Audit, which has no task',
    );
  });
});

describe('providers without a lasting instance', () => {
  it('are refused when they are request-scoped', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends Audit {}
    const started = boot(PerRequest);
    await expect(started).rejects.toThrow(ImproperlyConfigured);
    await expect(started).rejects.toThrow(
      '@OnTaskUnknown on PerRequest.unknown would never be called: PerRequest in AppModule is ' +
        'request-scoped, or depends on a provider that is: Nest makes one for every task, and none ' +
        'of them is there to be told. Move the method to a provider of the default scope; there, ' +
        'ModuleRef.resolve() gives it what is request-scoped.',
    );
  });

  it('are refused when they depend on one that is, and when they are transient', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Tenant {}
    @Injectable()
    class OfTenant extends Audit {
      @Inject(Tenant)
      readonly tenant!: Tenant;
    }
    await expect(boot(Tenant, OfTenant)).rejects.toThrow('or depends on a provider that is');
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient extends Audit {}
    await expect(boot(Transient)).rejects.toThrow(
      'Transient in AppModule is transient: Nest makes one for every consumer',
    );
    const factory = { scope: Scope.REQUEST, useFactory: () => new Audit() };
    await expect(boot({ provide: Audit, ...factory })).rejects.toThrow('request-scoped');
  });

  it('are refused when they have hooks', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class ScopedMail extends Mail {}
    await expect(boot(ScopedMail)).rejects.toThrow(
      '@OnFailure on ScopedMail.failed would never be called',
    );
  });

  it('are taken when they have neither', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Tenant {
      @SharedTask()
      move(): void {}
    }
    await expect(boot(Tenant)).resolves.toBeDefined();
  });
});

describe('hooks', () => {
  it('are registered for the tasks that they name', async () => {
    const hooks = (await boot(Mail)).get(TaskHookRegistry);
    expect([hooks.has('mail.send'), hooks.has('mail.drop')]).toEqual([true, false]);
    expect(hooks.of('mail.send', 'onFailure').map(({ place }) => place)).toEqual([
      'The hook Mail.failed in AppModule of mail.send',
    ]);
    expect(hooks.of('mail.send', 'onSuccess')).toEqual([]);
    expect(hooks.of('mail.drop', 'onFailure')).toEqual([]);
  });

  it('call the instance', async () => {
    const app = await boot(Mail);
    const [hook] = app.get(TaskHookRegistry).of('mail.send', 'onFailure');
    hook!.run({ name: 'mail.send' } as TaskContext, 'why');
    expect(app.get(Mail, { strict: false }).failures).toEqual([['mail.send', 'why']]);
  });

  it('of a base class are those of all tasks of its subclasses', async () => {
    abstract class Base {
      @AfterReturn()
      over(): void {}
    }
    @TaskNamespace('one')
    @Injectable()
    class One extends Base {
      @SharedTask()
      run(): void {}

      @SharedTask()
      walk(): void {}
    }
    @TaskNamespace('two')
    @Injectable()
    class Two extends Base {
      @SharedTask()
      run(): void {}

      @OnSuccess('run')
      @OnFailure('run')
      ended(): void {}
    }
    const hooks = (await boot(One, Two)).get(TaskHookRegistry);
    const kinds = ['one.run', 'one.walk', 'two.run'].map((task) =>
      (['onSuccess', 'onFailure', 'afterReturn'] as const).filter(
        (kind) => hooks.of(task, kind).length === 1,
      ),
    );
    expect(kinds).toEqual([
      ['afterReturn'],
      ['afterReturn'],
      ['onSuccess', 'onFailure', 'afterReturn'],
    ]);
  });

  it('are refused on a class without tasks', async () => {
    @Injectable()
    class Lost {
      @OnFailure()
      failed(): void {}
    }
    const started = boot(Lost);
    await expect(started).rejects.toThrow(ImproperlyConfigured);
    await expect(started).rejects.toThrow(
      '@OnFailure on Lost.failed is a hook of the tasks of Lost, which has none.',
    );
  });

  it('are refused when they name what is no task', async () => {
    @Injectable()
    class Wrong extends Mail {
      override send(): void {}
    }
    await expect(boot(Wrong)).rejects.toThrow(
      "@OnFailure on Wrong.failed names 'send', which is no task of Wrong: its tasks are: drop.",
    );
  });
});
