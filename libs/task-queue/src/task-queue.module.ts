import { Logger, Module } from '@nestjs/common';
import type {
  DynamicModule,
  FactoryProvider,
  OnApplicationShutdown,
  OnModuleDestroy,
  OnModuleInit,
  Provider,
} from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { DiscoveryModule, ModuleRef } from '@nestjs/core';
import { createBroker, type Broker, type BrokerOptions } from './brokers/index.js';
import { TASK_CLIENT_DEPS, TaskClient } from './client/index.js';
import { SystemClock, type Clock } from './clock/index.js';
import { ImproperlyConfigured } from './errors/task-queue.errors.js';
import {
  ListenerExplorer,
  SignallingPublishHooks,
  SignallingTaskHooks,
  TaskHookRegistry,
  TaskSignals,
} from './events/index.js';
import { CodecRegistry } from './messages/index.js';
import { createResultBackend, findCache } from './result-backend.factory.js';
import type { ResultBackend } from './results/index.js';
import {
  parseSettings,
  readSettingsFromConfig,
  type ParsedSettings,
  type TaskQueueSettings,
  type TaskQueueSettingsInput,
} from './settings/index.js';
import { TASK_QUEUE_SETTINGS } from './settings/settings.token.js';
import type { TaskQueueAsyncOptions, TaskQueueOptionsFactory } from './task-queue.options.js';
import {
  BROKER,
  BROKER_OPTIONS,
  CLOCK,
  PARSED_SETTINGS,
  RESULT_BACKEND,
} from './task-queue.tokens.js';
import { TaskExplorer, TaskInvoker, TaskRegistry } from './tasks/index.js';
import { TaskWorker } from './worker/index.js';

/**
 * The task queue of an application: `TaskClient` to call tasks, and everything a worker needs to
 * run them. Import it once, in the root module of the web application and of the worker; tasks
 * are found on the providers of all modules.
 *
 * Importing it opens no connection. What is wrong with the settings stops the start.
 */
@Module({})
export class TaskQueueModule implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  constructor(
    private readonly explorer: TaskExplorer,
    private readonly listeners: ListenerExplorer,
    private readonly client: TaskClient,
    private readonly worker: TaskWorker,
    private readonly moduleRef: ModuleRef,
  ) {}

  /**
   * Settings from code: camelCase of Celery's names.
   *
   * @throws ImproperlyConfigured at start, with everything that is wrong.
   */
  static forRoot(settings: TaskQueueSettingsInput & { isGlobal?: boolean }): DynamicModule {
    const { isGlobal, ...input } = settings;
    return assemble(isGlobal, [], {
      provide: PARSED_SETTINGS,
      useFactory: () => parse(input, 'TaskQueueModule.forRoot()'),
    });
  }

  /**
   * Settings that are known only at start. Without a factory they are read from ConfigService:
   * the object under `CELERY`, then each `CELERY_<NAME>` key, as Celery reads Django's settings
   * with `namespace='CELERY'`.
   *
   * @throws ImproperlyConfigured at start, with everything that is wrong.
   */
  static forRootAsync(options: TaskQueueAsyncOptions = {}): DynamicModule {
    const module = assemble(options.isGlobal, options.imports ?? [], settingsProvider(options));
    if (options.useClass) {
      module.providers?.push(options.useClass);
    }
    return module;
  }

  onModuleInit(): void {
    const settings = this.moduleRef.get<TaskQueueSettings>(TASK_QUEUE_SETTINGS);
    if (settings.resultBackend === 'cache') {
      findCache(this.moduleRef);
    }
    this.explorer.explore();
    this.listeners.explore();
  }

  /** A worker that runs inside another application is drained before its providers go. */
  async onModuleDestroy(): Promise<void> {
    await this.worker.stop();
  }

  /** Last of all: other providers may publish until then. */
  async onApplicationShutdown(): Promise<void> {
    await this.client.close();
  }
}

function settingsProvider(options: TaskQueueAsyncOptions): FactoryProvider<ParsedSettings> {
  const source = 'TaskQueueModule.forRootAsync()';
  if (options.useFactory) {
    const { useFactory } = options;
    return {
      provide: PARSED_SETTINGS,
      inject: options.inject ?? [],
      useFactory: async (...args: unknown[]) => parse(await useFactory(...args), source),
    };
  }
  const factoryToken = options.useExisting ?? options.useClass;
  if (factoryToken) {
    return {
      provide: PARSED_SETTINGS,
      inject: [factoryToken],
      useFactory: async (factory: TaskQueueOptionsFactory) =>
        parse(await factory.createTaskQueueOptions(), source),
    };
  }
  return {
    provide: PARSED_SETTINGS,
    inject: [{ token: ConfigService, optional: true }],
    useFactory: (config: ConfigService | undefined) => {
      if (!config) {
        throw new ImproperlyConfigured(
          'TaskQueueModule.forRootAsync() reads the settings from ConfigService, and there is ' +
            'none. Import ConfigModule.forRoot({ isGlobal: true }) of @nestjs/config before it, ' +
            'or give a useFactory.',
        );
      }
      return readSettingsFromConfig(config, options.namespace);
    },
  };
}

function parse(input: TaskQueueSettingsInput, source: string): ParsedSettings {
  if (typeof input !== 'object' || input === null) {
    throw new ImproperlyConfigured(
      `${source} was given no settings: its argument, or what its factory returns, must be an ` +
        "object such as { brokerUrl: 'redis://localhost:6379/0' }.",
    );
  }
  return parseSettings({ ...input }, { source });
}

function assemble(
  isGlobal = true,
  imports: NonNullable<DynamicModule['imports']>,
  settings: FactoryProvider<ParsedSettings>,
): DynamicModule {
  return {
    module: TaskQueueModule,
    global: isGlobal,
    imports: [DiscoveryModule, ...imports],
    providers: [settings, ...PROVIDERS],
    exports: [
      TaskClient,
      TaskWorker,
      TaskRegistry,
      TaskSignals,
      TASK_QUEUE_SETTINGS,
      BROKER,
      CLOCK,
      RESULT_BACKEND,
    ],
  };
}

const PROVIDERS: Provider[] = [
  {
    provide: TASK_QUEUE_SETTINGS,
    inject: [PARSED_SETTINGS],
    useFactory: ({ settings, warnings, notes }: ParsedSettings): TaskQueueSettings => {
      const logger = new Logger(TaskQueueModule.name);
      warnings.forEach((warning) => logger.warn(warning));
      notes.forEach((note) => logger.log(note));
      return settings;
    },
  },
  { provide: CLOCK, useClass: SystemClock },
  {
    provide: BROKER_OPTIONS,
    inject: [TASK_QUEUE_SETTINGS, CLOCK],
    useFactory: brokerOptions,
  },
  {
    provide: BROKER,
    inject: [BROKER_OPTIONS],
    useFactory: (options: BrokerOptions): Promise<Broker> => createBroker(options),
  },
  {
    provide: RESULT_BACKEND,
    inject: [TASK_QUEUE_SETTINGS, BROKER, BROKER_OPTIONS, ModuleRef],
    useFactory: createResultBackend,
  },
  CodecRegistry,
  TaskRegistry,
  TaskInvoker,
  TaskExplorer,
  { provide: TaskSignals, inject: [CLOCK], useFactory: (clock: Clock) => new TaskSignals(clock) },
  TaskHookRegistry,
  {
    provide: SignallingTaskHooks,
    inject: [TaskSignals, TaskHookRegistry],
    useFactory: (signals: TaskSignals, hooks: TaskHookRegistry) =>
      new SignallingTaskHooks(signals, hooks),
  },
  {
    provide: SignallingPublishHooks,
    inject: [TaskSignals],
    useFactory: (signals: TaskSignals) => new SignallingPublishHooks(signals),
  },
  ListenerExplorer,
  {
    provide: TASK_CLIENT_DEPS,
    inject: [
      TASK_QUEUE_SETTINGS,
      BROKER,
      RESULT_BACKEND,
      TaskRegistry,
      CodecRegistry,
      CLOCK,
      SignallingPublishHooks,
      SignallingTaskHooks,
    ],
    useFactory: (
      settings: TaskQueueSettings,
      broker: Broker,
      backend: ResultBackend,
      registry: TaskRegistry,
      codecs: CodecRegistry,
      clock: Clock,
      publishHooks: SignallingPublishHooks,
      taskHooks: SignallingTaskHooks,
    ) => ({
      settings,
      broker,
      backend,
      registry,
      codecs,
      clock,
      publishHooks,
      taskHooks,
      logger: new Logger(TaskClient.name),
    }),
  },
  TaskClient,
  {
    provide: TaskWorker,
    inject: [
      TASK_QUEUE_SETTINGS,
      BROKER,
      RESULT_BACKEND,
      TaskRegistry,
      CodecRegistry,
      CLOCK,
      TaskSignals,
      SignallingTaskHooks,
    ],
    useFactory: (
      settings: TaskQueueSettings,
      broker: Broker,
      backend: ResultBackend,
      registry: TaskRegistry,
      codecs: CodecRegistry,
      clock: Clock,
      signals: TaskSignals,
      hooks: SignallingTaskHooks,
    ) => new TaskWorker({ settings, broker, backend, registry, codecs, clock, signals, hooks }),
  },
];

function brokerOptions(settings: TaskQueueSettings, clock: Clock): BrokerOptions {
  const { resultBackend } = settings;
  return {
    // Without a URL everything runs eagerly, and nothing is ever published.
    url: settings.brokerUrl ?? 'memory://',
    leaseDuration: settings.brokerLeaseDuration * 1000,
    connectionTimeout: settings.brokerConnectionTimeout * 1000,
    clock,
    logger: new Logger('Broker'),
    transportOptions: snakeCased(settings.brokerTransportOptions),
    ssl: settings.brokerUseSsl,
    resultTransportOptions: snakeCased(settings.resultBackendTransportOptions),
    ...(resultBackend !== null && resultBackend !== 'cache'
      ? { resultBackendUrl: resultBackend }
      : {}),
  };
}

/** Drivers read transport options under Celery's names. */
function snakeCased(options: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value as unknown,
    ]),
  );
}
