import { describe, expect, it, jest } from '@jest/globals';
import type { ModuleMetadata, OnModuleInit, Provider, Type } from '@nestjs/common';
import { Injectable, Logger, Module, Scope, UseGuards } from '@nestjs/common';
import { DiscoveryModule, LazyModuleLoader } from '@nestjs/core';
import type { TestingModule } from '@nestjs/testing';
import { Test } from '@nestjs/testing';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { SharedTask } from './shared-task.decorator.js';
import { createTaskContext } from './task.context.js';
import { TaskExplorer } from './task.explorer.js';
import { TaskInvoker } from './task.invoker.js';
import { TaskRegistry } from './task.registry.js';
import { TaskRequest } from './task-request.js';

@Injectable()
class Starter implements OnModuleInit {
  constructor(private readonly explorer: TaskExplorer) {}

  onModuleInit(): void {
    this.explorer.explore();
  }
}

@Module({
  imports: [DiscoveryModule],
  providers: [TaskRegistry, TaskInvoker, TaskExplorer, Starter],
  exports: [TaskRegistry, TaskExplorer],
})
class TasksModule {}

@Injectable()
class MailTasks {
  readonly sent: unknown[] = [];

  @SharedTask()
  send(to: string): string {
    this.sent.push(to);
    return `sent to ${to}`;
  }

  helper(): void {}
}

@Injectable()
class MoreMailTasks extends MailTasks {
  @SharedTask()
  drop(): void {}
}

@Injectable({ scope: Scope.REQUEST })
class RequestTasks {
  constructor() {
    RequestTasks.made += 1;
  }
  static made = 0;

  @SharedTask()
  run(): void {}
}

async function start(metadata: ModuleMetadata): Promise<TestingModule> {
  const imports = [TasksModule, ...(metadata.imports ?? [])];
  const app = await Test.createTestingModule({ ...metadata, imports }).compile();
  return app.init();
}

/** Starts with these providers and gives the places of the tasks, by name. */
async function placesOf(...providers: Provider[]): Promise<Record<string, string>> {
  @Module({ providers })
  class MailModule {}
  const app = await start({ imports: [MailModule] });
  const registry = app.get(TaskRegistry);
  const places = Object.fromEntries(
    registry.names().map((name) => [name, registry.get(name).place]),
  );
  await app.close();
  return places;
}

function moduleWith(name: string, ...providers: Provider[]): Type {
  @Module({ providers })
  class AnyModule {}
  return Object.defineProperty(AnyModule, 'name', { value: name });
}

const SEND = { 'MailTasks.send': 'MailTasks.send in MailModule' };

describe('TaskExplorer', () => {
  it('registers the tasks of a class provider', async () => {
    expect(await placesOf(MailTasks)).toEqual(SEND);
  });

  it('registers inherited tasks under the name of the subclass', async () => {
    expect(await placesOf(MoreMailTasks, MailTasks)).toEqual({
      ...SEND,
      'MoreMailTasks.drop': 'MoreMailTasks.drop in MailModule',
      'MoreMailTasks.send': 'MoreMailTasks.send in MailModule',
    });
  });

  it('registers classes under other tokens, values and what factories return', async () => {
    expect(await placesOf({ provide: 'MAIL', useClass: MailTasks })).toEqual(SEND);
    expect(await placesOf({ provide: 'MAIL', useValue: new MailTasks() })).toEqual(SEND);
    expect(await placesOf({ provide: 'MAIL', useFactory: () => new MailTasks() })).toEqual(SEND);
    const later = { provide: 'MAIL', useFactory: async () => new MailTasks() };
    expect(await placesOf(later)).toEqual(SEND);
  });

  it('counts an instance under several tokens once', async () => {
    const places = await placesOf(
      { provide: 'FIRST', useFactory: (mail: MailTasks) => mail, inject: [MailTasks] },
      { provide: 'ALIAS', useExisting: MailTasks },
      MailTasks,
      { provide: 'LAST', useFactory: (mail: MailTasks) => mail, inject: [MailTasks] },
    );
    expect(places).toEqual(SEND);
  });

  it('registers request-scoped and transient providers without making one', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class TransientTasks extends MailTasks {}
    expect(await placesOf(RequestTasks, TransientTasks)).toEqual({
      'RequestTasks.run': 'RequestTasks.run in MailModule',
      'TransientTasks.send': 'TransientTasks.send in MailModule',
    });
    expect(RequestTasks.made).toBe(0);
  });

  it('registers a request-scoped factory by the class of its token', async () => {
    const factory = { scope: Scope.REQUEST, useFactory: () => new MailTasks() };
    expect(await placesOf({ provide: MailTasks, ...factory })).toEqual(SEND);
    expect(await placesOf({ provide: 'MAIL', ...factory })).toEqual({});
  });

  it('passes by everything else', async () => {
    const bare: unknown = Object.create(null);
    expect(
      await placesOf(
        { provide: 'NULL', useValue: null },
        { provide: 'UNDEFINED', useValue: undefined },
        { provide: 'NUMBER', useValue: 3 },
        { provide: 'CLASS', useValue: MailTasks },
        { provide: 'FUNCTION', useValue: () => undefined },
        { provide: 'BARE', useValue: bare },
        { provide: 'BARE_CHILD', useValue: Object.create(bare as object) as unknown },
        { provide: 'NOTHING', useFactory: () => undefined },
        { provide: 'OBJECT', useValue: { constructor: 'text' } },
      ),
    ).toEqual({});
  });

  it('refuses one class in two modules, with both places', async () => {
    const imports = [moduleWith('MailModule', MailTasks), moduleWith('OtherModule', MailTasks)];
    const started = start({ imports });
    await expect(started).rejects.toThrow(ImproperlyConfigured);
    await expect(started).rejects.toThrow(
      /MailTasks\.send in (Mail|Other)Module and MailTasks\.send in (Mail|Other)Module\./,
    );
  });

  it('takes a class that one module provides and others import once', async () => {
    @Module({ providers: [MailTasks], exports: [MailTasks] })
    class MailModule {}
    @Module({ imports: [MailModule], exports: [MailModule] })
    class OtherModule {}
    const app = await start({ imports: [MailModule, OtherModule] });
    expect(app.get(TaskRegistry).names()).toEqual(['MailTasks.send']);
    await app.close();
  });

  it('refuses two classes whose tasks have one name', async () => {
    @Injectable()
    class Impostor {
      @SharedTask({ name: 'MailTasks.send' })
      pretend(): void {}
    }
    await expect(placesOf(MailTasks, Impostor)).rejects.toThrow(
      'MailTasks.send in MailModule and Impostor.pretend in MailModule',
    );
  });

  it('refuses a guard that Nest would leave out', async () => {
    @Injectable()
    class RolesGuard {
      canActivate(): boolean {
        return false;
      }
    }
    @Injectable()
    class GuardedTasks {
      @UseGuards(RolesGuard)
      @SharedTask()
      run(): void {}
    }
    const useFactory = (): GuardedTasks => new GuardedTasks();
    await expect(placesOf({ provide: GuardedTasks, useFactory })).rejects.toThrow(
      '@UseGuards(RolesGuard) would not run for the task GuardedTasks.run',
    );
    expect(Object.keys(await placesOf(GuardedTasks))).toEqual(['GuardedTasks.run']);
    expect(Object.keys(await placesOf({ provide: 'G', useClass: GuardedTasks }))).toHaveLength(1);
  });

  it('finds only what is new when it is called again', async () => {
    const app = await start({ imports: [moduleWith('MailModule', MailTasks)] });
    const explorer = app.get(TaskExplorer);
    explorer.explore();
    await app.get(LazyModuleLoader).load(() => moduleWith('LazyModule', RequestTasks));
    explorer.explore();
    expect(app.get(TaskRegistry).names()).toEqual(['MailTasks.send', 'RequestTasks.run']);
    await app.close();
  });

  it('takes overridden providers as they are', async () => {
    const app = await Test.createTestingModule({
      imports: [TasksModule, moduleWith('MailModule', MailTasks)],
    })
      .overrideProvider(MailTasks)
      .useValue({})
      .compile();
    await app.init();
    expect(app.get(TaskRegistry).names()).toEqual([]);
    await app.close();
  });

  it('logs what it mapped', async () => {
    const debug = jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => {});
    await placesOf(MailTasks);
    expect(debug.mock.calls).toEqual([['Mapped task {MailTasks.send}']]);
    debug.mockRestore();
  });

  it('registers what runs the very instance', async () => {
    const app = await start({ imports: [moduleWith('MailModule', MailTasks)] });
    const { context } = createTaskContext({
      request: new TaskRequest({
        message: { id: 'id', task: 'MailTasks.send', headers: {} },
        args: ['ann'],
        kwargs: {},
        hostname: 'celery@host',
        queue: 'celery',
      }),
      services: { updateState: async () => {} },
    });
    const { invoke } = app.get(TaskRegistry).get('MailTasks.send');
    expect(await invoke(context, ['ann'], {})).toBe('sent to ann');
    expect(app.get(MailTasks, { strict: false }).sent).toEqual(['ann']);
    await app.close();
  });
});
