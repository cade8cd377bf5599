import type { ErrorClass } from '../messages/index.js';
import type { RecorderSettings } from '../results/index.js';
import type { RetryPolicy } from './apply-options.interface.js';
import type { RouterSettings } from './router.js';

/** The settings that calling tasks and reading results depend on. */
export interface ClientSettings extends RouterSettings, RecorderSettings {
  readonly taskSerializer: string;
  readonly taskDefaultPriority: number | null;
  readonly taskInheritParentPriority: boolean;
  readonly taskPublishRetry: boolean;
  readonly taskPublishRetryPolicy: RetryPolicy;
  /** Seconds. */
  readonly taskPublishTimeout: number;
  readonly taskMaxPayloadBytes: number;
  readonly taskAlwaysEager: boolean;
  readonly taskEagerPropagates: boolean;
  readonly taskStoreEagerResult: boolean;
  readonly resultKnownErrors: readonly ErrorClass[];
}
