export { readDuration } from './readers/duration.reader.js';
export type { QueueDefinition, TaskQueuesInput } from './readers/queues.reader.js';
export { decideResultBackend } from './readers/result-backend.reader.js';
export { isRedisScheme, schemeOf } from './readers/broker-url.reader.js';
export type {
  RouteFunction,
  RouteRule,
  RouteTableInput,
  RouteTarget,
  TaskRouter,
  TaskRoutesInput,
} from './readers/routes.reader.js';
export type { ErrorClass } from './readers/worker-settings.reader.js';
export type { SettingDefinition } from './setting-definition.interface.js';
export { camelName, envName } from './setting-names.util.js';
export { humanizeSettings, type HumanizeOptions } from './settings.humanizer.js';
export {
  parseSettings,
  type ParsedSettings,
  type ParseSettingsOptions,
} from './settings.parser.js';
export { collectSettings, readSettingsFromConfig, type ConfigSource } from './settings.reader.js';
export { effectiveTimeZone } from './settings.rules.js';
export { SETTINGS } from './settings.table.js';
export type {
  BrokerTransportOptions,
  BrokerTransportOptionsInput,
  PublishRetryPolicy,
  PublishRetryPolicyInput,
  ResultTransportOptions,
  ResultTransportOptionsInput,
  TaskQueueSettings,
  TaskQueueSettingsInput,
} from './settings.types.js';
export { maskUrl } from './url.mask.js';
