import type {
  DynamicModule,
  InjectionToken,
  OptionalFactoryDependency,
  Type,
} from '@nestjs/common';
import type { TaskQueueSettingsInput } from './settings/index.js';

/** Makes the settings; for `useClass` and `useExisting`. */
export interface TaskQueueOptionsFactory {
  createTaskQueueOptions(): Promise<TaskQueueSettingsInput> | TaskQueueSettingsInput;
}

/** What `TaskQueueModule.forRootAsync` takes. */
export interface TaskQueueAsyncOptions {
  /**
   * Under which name ConfigService has the settings: an object under this key, or flat keys that
   * begin with it and an underscore. Only without a factory. Default: `CELERY`.
   */
  readonly namespace?: string;
  readonly imports?: DynamicModule['imports'];
  readonly inject?: (InjectionToken | OptionalFactoryDependency)[];
  /** Returns the settings, with the keys of `TaskQueueModule.forRoot`. */
  readonly useFactory?: (
    ...args: any[]
  ) => Promise<TaskQueueSettingsInput> | TaskQueueSettingsInput;
  readonly useClass?: Type<TaskQueueOptionsFactory>;
  readonly useExisting?: InjectionToken;
  /** Whether all modules may inject `TaskClient` without importing. Default: `true`. */
  readonly isGlobal?: boolean;
}
