import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ExecutionContext, Provider } from '@nestjs/common';
import { Inject, Injectable, Module, Scope, UseGuards } from '@nestjs/common';
import type { ContextId, HostComponentInfo } from '@nestjs/core';
import { APP_GUARD, ContextIdFactory, DiscoveryModule, REQUEST } from '@nestjs/core';
import type { TestingModule } from '@nestjs/testing';
import { Test } from '@nestjs/testing';
import { SharedTask } from './shared-task.decorator.js';
import { createTaskContext, TaskContext } from './task.context.js';
import { TaskExplorer } from './task.explorer.js';
import { TaskInvoker } from './task.invoker.js';
import { TaskRegistry } from './task.registry.js';
import { TaskRequest } from './task-request.js';

let app: TestingModule | undefined;
let made: string[];

beforeEach(() => {
  made = [];
});

afterEach(async () => {
  await app?.close();
  app = undefined;
});

function contextOf(id: string, headers: Record<string, unknown> = {}): TaskContext {
  const request = new TaskRequest({
    message: { id, task: 'task', headers: { headers } },
    args: [],
    kwargs: {},
    hostname: 'celery@host',
    queue: 'celery',
  });
  return createTaskContext({ request, services: { updateState: async () => {} } }).context;
}

async function start(...providers: Provider[]) {
  app = await Test.createTestingModule({
    imports: [DiscoveryModule],
    providers: [TaskRegistry, TaskInvoker, TaskExplorer, ...providers],
  }).compile();
  await app.init();
  app.get(TaskExplorer).explore();
  const registry = app.get(TaskRegistry);
  return (name: string, context: TaskContext, ...args: unknown[]): Promise<unknown> =>
    registry.get(name).invoke(context, args, {});
}

@Injectable({ scope: Scope.REQUEST })
class Tenant {
  readonly id: string;

  constructor(@Inject(REQUEST) context: TaskContext) {
    this.id = context.request.id;
    made.push(`tenant ${this.id}`);
  }
}

@Injectable()
class TenantTasks {
  constructor(private readonly tenant: Tenant) {
    made.push(`tasks ${tenant.id}`);
  }

  @SharedTask()
  async which(x: number): Promise<unknown[]> {
    await setImmediate();
    return [this.tenant.id, TaskContext.current()?.request.id, x];
  }

  @SharedTask({ bind: true })
  bound(self: TaskContext): string {
    return self.request.id;
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class TransientTasks {
  private calls = 0;

  @SharedTask()
  count(): number {
    this.calls += 1;
    return this.calls;
  }
}

@Injectable({ scope: Scope.REQUEST })
class ScopedGuard {
  constructor(@Inject(REQUEST) private readonly context: TaskContext) {
    made.push(`guard ${context.request.id}`);
  }

  canActivate(host: ExecutionContext): boolean {
    return host.getArgByIndex(0) === this.context && this.context.request.id !== 'denied';
  }
}

describe('TaskInvoker, with scoped providers', () => {
  it('makes a request-scoped tree for every call, with the context as REQUEST', async () => {
    const run = await start(Tenant, TenantTasks);
    expect(made).toEqual([]);
    const results = await Promise.all(
      ['a', 'b'].map((id) => run('TenantTasks.which', contextOf(id), 1)),
    );
    expect(results).toEqual([
      ['a', 'a', 1],
      ['b', 'b', 1],
    ]);
    expect(made.toSorted()).toEqual(['tasks a', 'tasks b', 'tenant a', 'tenant b']);
    expect(await run('TenantTasks.bound', contextOf('c'))).toBe('c');
  });

  it('makes a transient provider for every call', async () => {
    const run = await start(TransientTasks);
    expect(await run('TransientTasks.count', contextOf('a'))).toBe(1);
    expect(await run('TransientTasks.count', contextOf('b'))).toBe(1);
  });

  it('makes what a request-scoped factory returns, by the class of its token', async () => {
    const run = await start(Tenant, {
      provide: TenantTasks,
      scope: Scope.REQUEST,
      useFactory: (tenant: Tenant) => new TenantTasks(tenant),
      inject: [Tenant],
    });
    expect(await run('TenantTasks.which', contextOf('a'), 2)).toEqual(['a', 'a', 2]);
  });

  it('fails the task when the provider cannot be made', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Broken {
      constructor() {
        throw new Error('cannot be made');
      }

      @SharedTask()
      run(): void {}
    }
    const run = await start(Broken);
    await expect(run('Broken.run', contextOf('a'))).rejects.toThrow('cannot be made');
  });

  it('runs a request-scoped guard of a method', async () => {
    @Injectable()
    class Guarded {
      @UseGuards(ScopedGuard)
      @SharedTask()
      run(): string {
        return 'ran';
      }
    }
    const run = await start(Guarded);
    expect(await run('Guarded.run', contextOf('a'))).toBe('ran');
    await expect(run('Guarded.run', contextOf('denied'))).rejects.toThrow('Forbidden');
    expect(made).toEqual(['guard a', 'guard denied']);
  });

  it('runs a request-scoped global guard and leaves a singleton a singleton', async () => {
    @Injectable()
    class Singleton {
      private calls = 0;

      @SharedTask()
      count(): number {
        this.calls += 1;
        return this.calls;
      }
    }
    const run = await start(Singleton, {
      provide: APP_GUARD,
      useClass: ScopedGuard,
      scope: Scope.REQUEST,
    });
    expect(await run('Singleton.count', contextOf('a'))).toBe(1);
    expect(await run('Singleton.count', contextOf('b'))).toBe(2);
    await expect(run('Singleton.count', contextOf('denied'))).rejects.toThrow('Forbidden');
    expect(made).toEqual(['guard a', 'guard b', 'guard denied']);
  });

  it('keeps transient enhancers of the method beside request-scoped global ones', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class TransientGuard {
      private readonly ready = true;

      canActivate(): boolean {
        return this.ready;
      }
    }
    @Injectable()
    class Guarded {
      @UseGuards(TransientGuard)
      @SharedTask()
      run(): string {
        return 'ran';
      }
    }
    const scoped = { provide: APP_GUARD, useClass: ScopedGuard, scope: Scope.REQUEST };
    const run = await start(Guarded, scoped);
    expect(await run('Guarded.run', contextOf('a'))).toBe('ran');
  });

  it('shares durable providers by the strategy of the application', async () => {
    const tenants = new Map<string, ContextId>();
    const strategy = {
      attach(contextId: ContextId, context: TaskContext) {
        const tenantId = context.headers.tenant as string;
        const shared = tenants.get(tenantId) ?? ContextIdFactory.create();
        tenants.set(tenantId, shared);
        return {
          resolve: (info: HostComponentInfo) => (info.isTreeDurable ? shared : contextId),
          payload: { tenantId },
        };
      },
    };
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class DurableTasks {
      private calls = 0;

      constructor(@Inject(REQUEST) private readonly payload: { readonly tenantId: string }) {}

      @SharedTask()
      count(): unknown[] {
        this.calls += 1;
        return [this.payload.tenantId, this.calls];
      }
    }
    const run = await start(DurableTasks);
    ContextIdFactory.apply(strategy);
    try {
      expect(await run('DurableTasks.count', contextOf('1', { tenant: 'a' }))).toEqual(['a', 1]);
      expect(await run('DurableTasks.count', contextOf('2', { tenant: 'a' }))).toEqual(['a', 2]);
      expect(await run('DurableTasks.count', contextOf('3', { tenant: 'b' }))).toEqual(['b', 1]);
    } finally {
      ContextIdFactory.apply(undefined as never);
    }
  });

  it('keeps providers of one token in two modules apart', async () => {
    @Injectable()
    class FirstTasks extends TenantTasks {}
    @Injectable()
    class SecondTasks extends TenantTasks {}
    @Module({ providers: [Tenant, { provide: 'TASKS', useClass: FirstTasks }] })
    class FirstModule {}
    @Module({ providers: [Tenant, { provide: 'TASKS', useClass: SecondTasks }] })
    class SecondModule {}
    app = await Test.createTestingModule({
      imports: [DiscoveryModule, FirstModule, SecondModule],
      providers: [TaskRegistry, TaskInvoker, TaskExplorer],
    }).compile();
    app.get(TaskExplorer).explore();
    const registry = app.get(TaskRegistry);
    expect(registry.get('FirstTasks.which').place).toBe('FirstTasks.which in FirstModule');
    for (const name of ['SecondTasks.which', 'FirstTasks.which']) {
      const outcome = await registry.get(name).invoke(contextOf(name), [1], {});
      expect(outcome).toEqual([name, name, 1]);
    }
  });
});
