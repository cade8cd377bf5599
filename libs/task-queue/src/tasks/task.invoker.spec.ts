import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type {
  ArgumentMetadata,
  ArgumentsHost,
  CallHandler,
  ExecutionContext,
  ModuleMetadata,
  PipeTransform,
  Type,
} from '@nestjs/common';
import {
  Body,
  Catch,
  createParamDecorator,
  ForbiddenException,
  Injectable,
  Logger,
  Module,
  SetMetadata,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
} from '@nestjs/common';
import {
  APP_FILTER,
  APP_GUARD,
  APP_INTERCEPTOR,
  APP_PIPE,
  DiscoveryModule,
  Reflector,
} from '@nestjs/core';
import type { TestingModule } from '@nestjs/testing';
import { Test } from '@nestjs/testing';
import { EMPTY, map, of } from 'rxjs';
import { Ignore, ImproperlyConfigured } from '../errors/task-queue.errors.js';
import { SharedTask } from './shared-task.decorator.js';
import { TaskCtx } from './task-ctx.decorator.js';
import { createTaskContext, TaskContext } from './task.context.js';
import { getTaskContext, isTaskContext } from './task-execution-context.util.js';
import { TaskExplorer } from './task.explorer.js';
import { TaskInvoker } from './task.invoker.js';
import { TaskRegistry } from './task.registry.js';
import { TaskRequest } from './task-request.js';

type Kwargs = Record<string, unknown>;

const apps: TestingModule[] = [];

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
  jest.restoreAllMocks();
});

function contextOf(name: string, args: unknown[] = [], kwargs: Kwargs = {}): TaskContext {
  const request = new TaskRequest({
    message: { id: 'id-1', task: name, headers: { headers: { role: 'admin' } } },
    args,
    kwargs,
    hostname: 'celery@host',
    queue: 'celery',
  });
  return createTaskContext({ request, services: { updateState: async () => {} } }).context;
}

/** Starts an application with one class of tasks and gives a function that runs them. */
async function start(cls: Type, metadata: ModuleMetadata = {}) {
  @Module({ providers: [cls] })
  class SubjectModule {}
  const app = await Test.createTestingModule({
    imports: [DiscoveryModule, SubjectModule, ...(metadata.imports ?? [])],
    providers: [TaskRegistry, TaskInvoker, TaskExplorer, ...(metadata.providers ?? [])],
  }).compile();
  apps.push(app);
  await app.init();
  app.get(TaskExplorer).explore();
  const run = (method: string, args: unknown[] = [], kwargs: Kwargs = {}): Promise<unknown> => {
    const name = `${cls.name}.${method}`;
    return app
      .get(TaskRegistry)
      .get(name)
      .invoke(contextOf(name, args, kwargs), args, kwargs);
  };
  return { app, run };
}

@Injectable()
class Plain {
  private readonly factor = 10;

  @SharedTask()
  count(...all: unknown[]): unknown[] {
    return all;
  }

  @SharedTask()
  scale(x: number, by = this.factor): number {
    return x * by;
  }

  @SharedTask({ bind: true })
  bound(self: TaskContext, x: number): unknown[] {
    return [self.name, self === TaskContext.current(), x];
  }

  @SharedTask()
  fails(): never {
    throw new TypeError('boom');
  }

  @SharedTask()
  async rejects(): Promise<never> {
    throw new TypeError('boom');
  }

  @SharedTask()
  throwsText(): never {
    // oxlint-disable-next-line no-throw-literal, only-throw-error
    throw 'boom';
  }

  @SharedTask()
  stream(): unknown {
    return of(1, 2, 3);
  }

  @SharedTask()
  async laterStream(): Promise<unknown> {
    return of(1, 2, 3).pipe(map((n) => [n, TaskContext.current()?.name]));
  }

  @SharedTask()
  empty(): unknown {
    return EMPTY;
  }
}

describe('TaskInvoker, with nothing bound to the task', () => {
  it('passes the arguments in order, and kwargs after them when there are any', async () => {
    const { run } = await start(Plain);
    expect(await run('count')).toEqual([]);
    expect(await run('count', [1, undefined, 3])).toEqual([1, undefined, 3]);
    expect(await run('count', [1], { x: 2 })).toEqual([1, { x: 2 }]);
    expect(await run('count', [], { x: 2 })).toEqual([{ x: 2 }]);
    expect(await run('scale', [2])).toBe(20);
    expect(await run('scale', [2, 3])).toBe(6);
  });

  it('passes the context first when the task is bound', async () => {
    const { run } = await start(Plain);
    expect(await run('bound', [7])).toEqual(['Plain.bound', true, 7]);
  });

  it('rejects with what the method throws, and never throws itself', async () => {
    const { run } = await start(Plain);
    await expect(run('fails')).rejects.toThrow(new TypeError('boom'));
    await expect(run('rejects')).rejects.toThrow(new TypeError('boom'));
    await expect(run('throwsText')).rejects.toBe('boom');
  });

  it('takes the last value of an Observable', async () => {
    const { run } = await start(Plain);
    expect(await run('stream')).toBe(3);
    expect(await run('laterStream')).toEqual([3, 'Plain.laterStream']);
    expect(await run('empty')).toBeUndefined();
  });

  it('sees a spy on the instance', async () => {
    const { app, run } = await start(Plain);
    const plain = app.get(Plain, { strict: false });
    const spy = jest.spyOn(plain, 'scale').mockReturnValue(-1);
    expect(await run('scale', [2])).toBe(-1);
    expect(spy.mock.contexts).toEqual([plain]);
  });

  it('keeps the context that is current already and nests another', async () => {
    const { app } = await start(Plain);
    const { invoke } = app.get(TaskRegistry).get('Plain.bound');
    const outer = contextOf('outer');
    const inner = contextOf('inner');
    const seen = await TaskContext.run(outer, async () => [
      await invoke(inner, [1], {}),
      await invoke(outer, [2], {}),
      TaskContext.current(),
    ]);
    expect(seen).toEqual([['inner', true, 1], ['outer', true, 2], outer]);
  });
});

const Role = (role: string) => SetMetadata('role', role);

@Injectable()
class RoleGuard {
  constructor(private readonly reflector: Reflector) {}

  canActivate(host: ExecutionContext): boolean {
    const role = this.reflector.getAllAndOverride<string>('role', [
      host.getHandler(),
      host.getClass(),
    ]);
    return isTaskContext(host) && getTaskContext(host).headers.role === role;
  }
}

@Injectable()
class WrapInterceptor {
  intercept(host: ExecutionContext, next: CallHandler) {
    const [context, ...args] = host.getArgs<[TaskContext, ...unknown[]]>();
    return next.handle().pipe(
      map((value: unknown) => ({
        value,
        args,
        name: context.name,
        current: TaskContext.current() === context,
        handler: host.getHandler() === Reflect.get(Enhanced.prototype, 'intercepted'),
        cls: host.getClass(),
      })),
    );
  }
}

@Injectable()
class RecordPipe implements PipeTransform {
  readonly seen: ArgumentMetadata[] = [];

  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    this.seen.push(metadata);
    return value instanceof TaskContext ? value : `<${String(value)}>`;
  }
}

class Payload {
  to = '';
}

const Header = createParamDecorator((name: string, host: ExecutionContext) => {
  if (name === 'boom') {
    throw new Error('no header');
  }
  return getTaskContext(host).headers[name];
});

@Catch(RangeError)
class RangeFilter {
  catch(error: RangeError, host: ArgumentsHost): unknown {
    return {
      caught: error.message,
      name: getTaskContext(host).name,
      args: host.getArgs().slice(1),
    };
  }
}

@Catch()
class SilentFilter {
  async catch(): Promise<void> {}
}

@Catch()
class HttpFilter {
  catch(error: Error, host: ArgumentsHost): void {
    host.switchToHttp().getResponse<{ status(code: number): void }>().status(500);
  }
}

@Injectable()
class Enhanced {
  ran = false;

  @UseGuards(RoleGuard)
  @Role('admin')
  @SharedTask()
  allowed(x: number): number {
    return x;
  }

  @UseGuards(RoleGuard)
  @Role('nobody')
  @SharedTask()
  denied(): void {
    this.ran = true;
  }

  @UseInterceptors(WrapInterceptor)
  @SharedTask({ bind: true })
  intercepted(_self: TaskContext, x: number): number {
    return x + 1;
  }

  @UsePipes(RecordPipe)
  @SharedTask({ bind: true })
  piped(self: TaskContext, a: number, payload: Payload, by = 'default'): unknown[] {
    return [self.name, a, payload, by];
  }

  @UsePipes(RecordPipe)
  @SharedTask()
  pipedRest(...all: string[]): unknown[] {
    return all;
  }

  @SharedTask()
  injected(a: number, @TaskCtx() context: TaskContext, b: number, @Header('role') role = '') {
    return [a, context.name, b, role];
  }

  @UsePipes(RecordPipe)
  @SharedTask()
  injectedAndPiped(a: number, @Header('role') role: string): unknown[] {
    return [a, role];
  }

  @UsePipes(RecordPipe)
  @SharedTask()
  badlyInjected(a: number, @Header('boom') header: string): unknown[] {
    return [a, header];
  }

  @UseFilters(RangeFilter)
  @SharedTask()
  filtered(kind: string): never {
    throw kind === 'range' ? new RangeError('out') : new TypeError('other');
  }

  @UseFilters(SilentFilter)
  @SharedTask()
  silent(): never {
    throw new TypeError('kept');
  }

  @UseFilters(HttpFilter)
  @SharedTask()
  http(): never {
    throw new TypeError('the real reason');
  }

  @UseFilters(RangeFilter, HttpFilter)
  @SharedTask()
  ignored(): never {
    throw new Ignore('done');
  }
}

describe('TaskInvoker, with enhancers', () => {
  it('runs guards with the metadata of the method', async () => {
    const { app, run } = await start(Enhanced);
    expect(await run('allowed', [3])).toBe(3);
    await expect(run('denied')).rejects.toThrow(ForbiddenException);
    expect(app.get(Enhanced, { strict: false }).ran).toBe(false);
  });

  it('runs interceptors around the method', async () => {
    const { run } = await start(Enhanced);
    expect(await run('intercepted', [1])).toEqual({
      value: 2,
      args: [1],
      name: 'Enhanced.intercepted',
      current: true,
      handler: true,
      cls: Enhanced,
    });
  });

  it('runs pipes on every argument but the context, with its type', async () => {
    const seen: ArgumentMetadata[] = [];
    jest.spyOn(RecordPipe.prototype, 'transform').mockImplementation((value, metadata) => {
      seen.push(metadata);
      return `<${typeof value}>`;
    });
    const { run } = await start(Enhanced);
    const result = await run('piped', [1], { to: 'ann' });
    expect(result).toEqual(['Enhanced.piped', '<number>', '<object>', 'default']);
    expect(seen.map(({ type, metatype }) => [type, metatype])).toEqual([
      ['body', Number],
      ['body', Payload],
    ]);
  });

  it('shows pipes a missing argument, but leaves defaults and rest parameters alone', async () => {
    const { run } = await start(Enhanced);
    expect(await run('piped')).toEqual(['Enhanced.piped', '<undefined>', '<undefined>', 'default']);
    expect(await run('piped', [1, 2, 3])).toEqual(['Enhanced.piped', '<1>', '<2>', '<3>']);
    expect(await run('pipedRest')).toEqual([]);
    expect(await run('pipedRest', ['a', 'b', 'c'])).toEqual(['<a>', '<b>', '<c>']);
  });

  it('fills decorated parameters and gives the arguments to the others in order', async () => {
    const { run } = await start(Enhanced);
    expect(await run('injected', [1, 2])).toEqual([1, 'Enhanced.injected', 2, 'admin']);
    expect(await run('injected', [1])).toEqual([1, 'Enhanced.injected', undefined, 'admin']);
    expect(await run('injectedAndPiped', [1])).toEqual(['<1>', '<admin>']);
  });

  it('fails when a parameter decorator throws', async () => {
    jest.spyOn(RecordPipe.prototype, 'transform').mockRejectedValue(new Error('no pipe') as never);
    const { run } = await start(Enhanced);
    await expect(run('badlyInjected', [1])).rejects.toThrow(/no (header|pipe)/);
  });

  it('makes what a filter returns the result', async () => {
    const { run } = await start(Enhanced);
    expect(await run('filtered', ['range'])).toEqual({
      caught: 'out',
      name: 'Enhanced.filtered',
      args: ['range'],
    });
  });

  it('keeps an error that no filter answers, and logs nothing', async () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    const staticError = jest.spyOn(Logger, 'error').mockImplementation(() => {});
    const { run } = await start(Enhanced);
    await expect(run('filtered', ['type'])).rejects.toThrow(new TypeError('other'));
    await expect(run('silent')).rejects.toThrow(new TypeError('kept'));
    await expect(run('denied')).rejects.toThrow('Forbidden');
    expect(error).not.toHaveBeenCalled();
    expect(staticError).not.toHaveBeenCalled();
  });

  it('keeps the real reason when a filter made for HTTP fails', async () => {
    const { run } = await start(Enhanced);
    await expect(run('http')).rejects.toMatchObject({ cause: new TypeError('the real reason') });
  });

  it('leads control flow past the filters', async () => {
    const { run } = await start(Enhanced);
    await expect(run('ignored')).rejects.toBeInstanceOf(Ignore);
  });
});

@Injectable()
class GlobalGuard {
  canActivate(host: ExecutionContext): boolean {
    return host.getArgByIndex<unknown>(1) !== 'denied';
  }
}

@Injectable()
class GlobalInterceptor {
  intercept(_host: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(map((value: unknown) => ['intercepted', value]));
  }
}

@Injectable()
class GlobalPipe implements PipeTransform {
  transform(value: unknown): unknown {
    return `piped ${String(value)}`;
  }
}

@Catch(ForbiddenException)
class GlobalFilter {
  catch(): string {
    return 'filtered';
  }
}

@Injectable()
class Simple {
  @SharedTask()
  echo(x: string): string {
    return x;
  }
}

describe('TaskInvoker, with global enhancers', () => {
  it('runs them for tasks', async () => {
    const { run } = await start(Simple, {
      providers: [
        { provide: APP_GUARD, useClass: GlobalGuard },
        { provide: APP_INTERCEPTOR, useClass: GlobalInterceptor },
        { provide: APP_PIPE, useClass: GlobalPipe },
        { provide: APP_FILTER, useClass: GlobalFilter },
      ],
    });
    expect(await run('echo', ['x'])).toEqual(['intercepted', 'piped x']);
    expect(await run('echo', ['denied'])).toBe('filtered');
  });

  it.each([
    [APP_GUARD, GlobalGuard, 'denied', 'Forbidden resource'],
    [APP_PIPE, GlobalPipe, 'x', 'piped x'],
    [APP_INTERCEPTOR, GlobalInterceptor, 'x', ['intercepted', 'x']],
    [APP_FILTER, GlobalFilter, 'x', 'x'],
  ])('runs a lone %s', async (provide, useClass, argument, outcome) => {
    const { run } = await start(Simple, { providers: [{ provide, useClass }] });
    const result = await run('echo', [argument]).catch((error: Error) => error.message);
    expect(result).toEqual(outcome);
  });

  it('runs those that are added after the start, until the first call', async () => {
    const { app, run } = await start(Simple);
    app.createNestApplication().useGlobalPipes(new GlobalPipe());
    expect(await run('echo', ['x'])).toBe('piped x');
  });
});

describe('TaskInvoker, at start', () => {
  it('refuses parameter decorators of HTTP handlers', async () => {
    @Injectable()
    class HttpLike {
      @SharedTask()
      create(_id: number, @Body() _body: unknown): void {}
    }
    const started = start(HttpLike);
    await expect(started).rejects.toThrow(ImproperlyConfigured);
    await expect(started).rejects.toThrow(
      'Parameter 2 of the task HttpLike.create has a decorator',
    );
  });

  it('refuses a decorator on the first parameter of a bound task', async () => {
    @Injectable()
    class TwiceBound {
      @SharedTask({ bind: true })
      run(@TaskCtx() _self: TaskContext): void {}
    }
    await expect(start(TwiceBound)).rejects.toThrow('with bind: true it takes the TaskContext');
  });
});

describe('getTaskContext', () => {
  it('refuses a host that is not a task', () => {
    const host = { getType: () => 'http' } as unknown as ArgumentsHost;
    expect(isTaskContext(host)).toBe(false);
    expect(() => getTaskContext(host)).toThrow(ImproperlyConfigured);
    expect(() => getTaskContext(host)).toThrow("of the type 'http'");
  });
});
