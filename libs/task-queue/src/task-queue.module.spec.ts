import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Global, Injectable, Logger, Module, type DynamicModule, type Type } from '@nestjs/common';
import { ConfigModule, registerAs } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { ManualClock } from './clock/index.js';
import {
  BROKER,
  CLOCK,
  ImproperlyConfigured,
  MemoryStore,
  RESULT_BACKEND,
  SharedTask,
  TASK_QUEUE_SETTINGS,
  TaskClient,
  TaskNamespace,
  TaskQueueModule,
  TaskRegistry,
  TaskWorker,
  type Broker,
  type ResultBackend,
  type TaskQueueOptionsFactory,
  type TaskQueueSettings,
} from './index.js';

const MEMORY = { brokerUrl: 'memory://' };

@TaskNamespace('demo')
class DemoTasks {
  @SharedTask()
  add(x: number, y: number): number {
    return x + y;
  }
}

let apps: { close(): Promise<void> }[];
let lines: string[];
let environment: NodeJS.ProcessEnv;

async function boot(...imports: (DynamicModule | Type)[]): Promise<TestingModule> {
  const app = await Test.createTestingModule({ imports, providers: [DemoTasks] })
    .setLogger(logger)
    .compile();
  apps.push(app);
  return app.init();
}

const note = (level: string) => (message: unknown) =>
  void lines.push(`${level}: ${String(message)}`);
const logger = {
  log: note('log'),
  warn: note('warn'),
  error: note('error'),
  debug: note('debug'),
};

function settingsOf(app: TestingModule): TaskQueueSettings {
  return app.get<TaskQueueSettings>(TASK_QUEUE_SETTINGS, { strict: false });
}

function configOf(load: Record<string, unknown>): Promise<DynamicModule> {
  return ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [() => load] });
}

/** What a start is refused with. */
async function refusalOf(...imports: (DynamicModule | Type)[]): Promise<Error> {
  return boot(...imports).then(
    () => new Error('It started.'),
    (error: Error) => error,
  );
}

beforeEach(() => {
  apps = [];
  lines = [];
  environment = { ...process.env };
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('CELERY_')) {
      delete process.env[name];
    }
  }
  Logger.overrideLogger(logger);
});

afterEach(async () => {
  await Promise.all(apps.map((app) => app.close()));
  Logger.overrideLogger(['log', 'warn', 'error', 'fatal']);
  process.env = environment;
  jest.restoreAllMocks();
});

describe('forRoot', () => {
  it('takes settings in camelCase, and provides the client, the worker and the registry', async () => {
    const app = await boot(TaskQueueModule.forRoot({ ...MEMORY, workerConcurrency: 3 }));
    expect(settingsOf(app).workerConcurrency).toBe(3);
    expect(app.get(TaskClient, { strict: false })).toBeInstanceOf(TaskClient);
    expect(app.get(TaskWorker, { strict: false })).toBeInstanceOf(TaskWorker);
    expect(app.get(TaskRegistry, { strict: false }).names()).toEqual(['demo.add']);
  });

  it('lists everything that is wrong', async () => {
    const wrong = { brokerUrl: 'amqp://', workerConcurrency: -1, brokerUrll: 'x' };
    const error = await refusalOf(TaskQueueModule.forRoot(wrong));
    expect(error).toBeInstanceOf(ImproperlyConfigured);
    expect(error.message).toMatch(/from TaskQueueModule\.forRoot\(\)\) have 3 problems:/);
    expect(error.message).toMatch(/Did you mean brokerUrl\?/);
  });

  it('logs what there is to say about the settings, once', async () => {
    await boot(
      TaskQueueModule.forRoot({ ...MEMORY, brokerPoolLimit: 5, cacheBackend: 'default' }),
      CacheStub,
    );
    const about = lines.filter((line) => /brokerPoolLimit|cacheBackend/.test(line));
    expect(about).toEqual([
      expect.stringMatching(/^warn: cacheBackend alone is taken to mean/),
      expect.stringMatching(/^log: brokerPoolLimit has no effect here/),
    ]);
  });

  it('is global, unless told otherwise', async () => {
    @Injectable()
    class Caller {
      constructor(readonly tasks: TaskClient) {}
    }
    @Module({ providers: [Caller] })
    class CallerModule {}
    const app = await boot(TaskQueueModule.forRoot(MEMORY), CallerModule);
    expect(app.get(Caller, { strict: false }).tasks).toBeInstanceOf(TaskClient);

    const error = await refusalOf(
      TaskQueueModule.forRoot({ ...MEMORY, isGlobal: false }),
      CallerModule,
    );
    expect(error.message).toMatch(/can't resolve dependencies of the Caller/);
  });

  it('that is not global serves the modules that import it', async () => {
    @Injectable()
    class Caller {
      constructor(readonly tasks: TaskClient) {}
    }
    const queue = TaskQueueModule.forRoot({ ...MEMORY, isGlobal: false });
    @Module({ imports: [queue], providers: [Caller] })
    class CallerModule {}
    const app = await boot(CallerModule);
    expect(app.get(Caller, { strict: false }).tasks).toBeInstanceOf(TaskClient);
  });
});

describe('forRootAsync', () => {
  it('reads the object under CELERY in ConfigService', async () => {
    const celery = registerAs('CELERY', () => ({
      BROKER_URL: 'memory://',
      worker_concurrency: '7',
      taskTimeLimit: 60,
    }));
    const config = ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true, load: [celery] });
    const app = await boot(await config, TaskQueueModule.forRootAsync());
    expect(settingsOf(app)).toMatchObject({
      brokerUrl: 'memory://',
      workerConcurrency: 7,
      taskTimeLimit: 60,
    });
  });

  it('reads flat CELERY_ keys, which win over the object', async () => {
    process.env['CELERY_WORKER_CONCURRENCY'] = '4';
    const config = await configOf({
      CELERY: { BROKER_URL: 'memory://', WORKER_CONCURRENCY: 7 },
      CELERY_TASK_DEFAULT_QUEUE: 'mail',
    });
    const app = await boot(config, TaskQueueModule.forRootAsync());
    expect(settingsOf(app)).toMatchObject({ workerConcurrency: 4, taskDefaultQueue: 'mail' });
  });

  it('reads another namespace', async () => {
    const config = await configOf({
      QUEUE: { BROKER_URL: 'memory://' },
      QUEUE_WORKER_CONCURRENCY: '2',
      CELERY_WORKER_CONCURRENCY: '9',
    });
    const app = await boot(config, TaskQueueModule.forRootAsync({ namespace: 'QUEUE' }));
    expect(settingsOf(app)).toMatchObject({ brokerUrl: 'memory://', workerConcurrency: 2 });
  });

  it('refuses a misspelt variable of the environment', async () => {
    process.env['CELERY_BROKER_ULR'] = 'redis://x';
    const config = await configOf({ CELERY_BROKER_URL: 'memory://' });
    const error = await refusalOf(config, TaskQueueModule.forRootAsync());
    expect(error.message).toMatch(/CELERY_BROKER_ULR is not a setting\. Did you mean/);
  });

  it('without ConfigModule says what to import', async () => {
    const error = await refusalOf(TaskQueueModule.forRootAsync());
    expect(error).toBeInstanceOf(ImproperlyConfigured);
    expect(error.message).toMatch(/Import ConfigModule\.forRoot\(\{ isGlobal: true \}\)/);
  });

  it('finds a ConfigModule that is not global among its imports', async () => {
    const config = await ConfigModule.forRoot({
      ignoreEnvFile: true,
      load: [() => ({ CELERY_BROKER_URL: 'memory://' })],
    });
    const app = await boot(TaskQueueModule.forRootAsync({ imports: [config] }));
    expect(settingsOf(app).brokerUrl).toBe('memory://');
  });

  it('takes a factory, with what it asks for', async () => {
    @Module({ providers: [{ provide: 'COUNT', useValue: 6 }], exports: ['COUNT'] })
    class CountModule {}
    const app = await boot(
      TaskQueueModule.forRootAsync({
        imports: [CountModule],
        inject: ['COUNT', { token: 'NOTHING', optional: true }],
        useFactory: async (count: number, nothing: unknown) => ({
          ...MEMORY,
          workerConcurrency: nothing === undefined ? count : 0,
        }),
      }),
    );
    expect(settingsOf(app).workerConcurrency).toBe(6);
  });

  it.each([undefined, null, 'memory://'])('refuses a factory that returns %j', async (value) => {
    const error = await refusalOf(
      TaskQueueModule.forRootAsync({ useFactory: () => value as never }),
    );
    expect(error).toBeInstanceOf(ImproperlyConfigured);
    expect(error.message).toMatch(/what its factory returns, must be an object such as/);
  });

  it('says where wrong settings come from', async () => {
    const error = await refusalOf(TaskQueueModule.forRootAsync({ useFactory: () => ({}) }));
    expect(error.message).toMatch(/from TaskQueueModule\.forRootAsync\(\)\).*brokerUrl/s);
  });

  @Injectable()
  class Factory implements TaskQueueOptionsFactory {
    async createTaskQueueOptions() {
      return { ...MEMORY, workerConcurrency: 8 };
    }
  }

  it('takes a class', async () => {
    const app = await boot(TaskQueueModule.forRootAsync({ useClass: Factory }));
    expect(settingsOf(app).workerConcurrency).toBe(8);
  });

  it('takes an existing provider', async () => {
    @Module({ providers: [Factory], exports: [Factory] })
    class FactoryModule {}
    const options = { imports: [FactoryModule], useExisting: Factory };
    const app = await boot(TaskQueueModule.forRootAsync(options));
    expect(settingsOf(app).workerConcurrency).toBe(8);
  });

  it('keeps nothing from one call to the next', () => {
    const first = TaskQueueModule.forRootAsync({ useClass: Factory });
    const second = TaskQueueModule.forRootAsync({ useFactory: () => MEMORY });
    expect(first.providers).toContain(Factory);
    expect(second.providers).not.toContain(Factory);
  });

  it('may be kept from being global', () => {
    const useFactory = () => MEMORY;
    expect(TaskQueueModule.forRootAsync({ useFactory }).global).toBe(true);
    expect(TaskQueueModule.forRootAsync({ useFactory, isGlobal: false }).global).toBe(false);
  });
});

describe('the cache as result backend', () => {
  it('is looked for at start, and its absence stops that', async () => {
    const error = await refusalOf(TaskQueueModule.forRoot({ ...MEMORY, resultBackend: 'cache' }));
    expect(error).toBeInstanceOf(ImproperlyConfigured);
    expect(error.message).toMatch(/the application has no cache\. Import CacheModule/);
  });

  it('is found in any module, also in one that is imported later', async () => {
    const app = await boot(
      TaskQueueModule.forRoot({ ...MEMORY, resultBackend: 'cache' }),
      CacheStub,
    );
    const backend = app.get<ResultBackend>(RESULT_BACKEND, { strict: false });
    await backend.store({ id: 'x', status: 'SUCCESS', payload: '{"status":"SUCCESS"}', ttl: null });
    expect(await backend.get('x')).toBe('{"status":"SUCCESS"}');
  });
});

describe('the life of an application', () => {
  it('opens no connection by being imported, nor by being closed', async () => {
    // Nothing is there; a connection would show as an error or a hang.
    const app = await boot(
      TaskQueueModule.forRoot({
        brokerUrl: 'redis://host.invalid:1/0',
        resultBackend: 'redis://other.invalid:1/0',
      }),
    );
    expect(app.get<Broker>(BROKER, { strict: false }).description).toBe('redis://host.invalid:1/0');
    await app.close();
    expect(lines.filter((line) => /^(warn|error)/.test(line))).toEqual([]);
  });

  it('runs tasks of its own worker', async () => {
    const app = await boot(TaskQueueModule.forRoot(MEMORY));
    await app.get(TaskWorker, { strict: false }).start();
    const tasks = app.get(TaskClient, { strict: false });
    const result = await tasks.of(DemoTasks).add.delay(2, 3);
    expect(await result.get({ timeout: 5 })).toBe(5);
  });

  it('refuses two tasks of one name, with both places', async () => {
    @TaskNamespace('demo')
    class OtherTasks {
      @SharedTask()
      add(): void {}
    }
    @Module({ providers: [OtherTasks] })
    class OtherModule {}
    const error = await refusalOf(TaskQueueModule.forRoot(MEMORY), OtherModule);
    expect(error).toBeInstanceOf(ImproperlyConfigured);
    expect(error.message).toMatch(/Two tasks have the name 'demo\.add'/);
    expect(error.message).toMatch(/OtherTasks\.add in OtherModule/);
    expect(error.message).toMatch(/DemoTasks\.add in RootTestModule/);
  });

  it('does not meet another in the same process', async () => {
    const [one, two] = await Promise.all([
      boot(TaskQueueModule.forRoot({ ...MEMORY, taskDefaultQueue: 'one' })),
      boot(TaskQueueModule.forRoot({ ...MEMORY, taskDefaultQueue: 'two' })),
    ]);
    const brokerOf = (app: TestingModule) => app.get<Broker>(BROKER, { strict: false });
    expect(settingsOf(one).taskDefaultQueue).toBe('one');
    expect(settingsOf(two).taskDefaultQueue).toBe('two');
    const { id } = await one.get(TaskClient, { strict: false }).of(DemoTasks).add.delay(1, 2);
    expect(await brokerOf(one).locate(id)).toEqual({ queue: 'one', state: 'waiting' });
    expect(await brokerOf(two).locate(id)).toBeUndefined();
    await one.close();
    await two.get(TaskWorker, { strict: false }).start();
    const result = await two.get(TaskClient, { strict: false }).of(DemoTasks).add.delay(1, 2);
    expect(await result.get({ timeout: 5 })).toBe(3);
  });

  it('is drained before its providers go, and can publish until the last', async () => {
    const order: string[] = [];
    let end!: () => void;
    let begun!: () => void;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    class SlowTasks {
      constructor(private readonly tasks: TaskClient) {}

      @SharedTask({ name: 'slow' })
      async slow(): Promise<string> {
        begun();
        await new Promise<void>((resolve) => (end = resolve));
        order.push('task ended');
        return 'done';
      }

      async beforeApplicationShutdown(): Promise<void> {
        await this.tasks.delay('demo.add', 1, 2);
        order.push('published');
      }
    }
    const slowTasks = {
      provide: SlowTasks,
      useFactory: (tasks: TaskClient) => new SlowTasks(tasks),
      inject: [TaskClient],
    };
    @Module({ providers: [slowTasks] })
    class SlowModule {}
    const store = new MemoryStore();
    const app = await boot(
      TaskQueueModule.forRoot({ ...MEMORY, brokerTransportOptions: { store } }),
      SlowModule,
    );
    await app.get(TaskWorker, { strict: false }).start();
    const { id } = await app.get(TaskClient, { strict: false }).delay('slow');
    await hasBegun;
    const broker = app.get<Broker>(BROKER, { strict: false });
    const close = jest.spyOn(broker, 'close').mockImplementationOnce(async () => {
      order.push('closed');
    });
    const closing = app.close();
    await nextTurn();
    expect(order).toEqual([]);
    end();
    await closing;
    expect(order).toEqual(['task ended', 'published', 'closed']);
    expect(store.results.get(id, Date.now())).toContain('"done"');
    expect(store.counts('celery', Date.now())).toMatchObject({ waiting: 1, active: 0 });
    close.mockRestore();
    await broker.close();
  });

  it('takes another clock and another broker in tests', async () => {
    const clock = new ManualClock();
    const app = await Test.createTestingModule({
      imports: [TaskQueueModule.forRoot(MEMORY)],
      providers: [DemoTasks],
    })
      .overrideProvider(CLOCK)
      .useValue(clock)
      .compile();
    apps.push(app);
    await app.init();
    await app.get(TaskWorker, { strict: false }).start();
    const tasks = app.get(TaskClient, { strict: false });
    const result = await tasks.of(DemoTasks).add.applyAsync([2, 3], { countdown: 3600 });
    await clock.advanceAsync(3_599_000);
    expect(await result.state()).toBe('PENDING');
    await clock.advanceAsync(2000);
    expect(await result.state()).toBe('SUCCESS');
  });

  it('ends with the reason when its settings are wrong, as an application context too', async () => {
    @Module({ imports: [TaskQueueModule.forRoot({ brokerUrl: 'nonsense' })] })
    class AppModule {}
    const refused = NestFactory.createApplicationContext(AppModule, {
      logger: false,
      abortOnError: false,
    });
    await expect(refused).rejects.toThrow(ImproperlyConfigured);
  });
});

const cached = new Map<string, unknown>();

@Global()
@Module({
  providers: [
    {
      provide: 'CACHE_MANAGER',
      useValue: {
        get: async (key: string) => cached.get(key),
        set: async (key: string, value: unknown) => cached.set(key, value),
        del: async (key: string) => cached.delete(key),
      },
    },
  ],
  exports: ['CACHE_MANAGER'],
})
class CacheStub {}
