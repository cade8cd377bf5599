export type { Codec } from './codec.interface.js';
export { decodeControl, encodeControl } from './control.message.js';
export type { ControlMessage, RevokeMessage } from './control.message.js';
export { CodecRegistry } from './codec.registry.js';
export { decodeArgs, decodeEnvelope, encodeEnvelope, ENVELOPE_VERSION } from './envelope.js';
export type {
  DecodedArgs,
  DecodedEnvelope,
  DecodeEnvelopeOptions,
  EncodeEnvelopeOptions,
} from './envelope.js';
export type { ErrorClass } from './error-classes.js';
export { decodeError, encodeError, NON_ERROR_THROWN } from './error.codec.js';
export type { EncodedError } from './error.codec.js';
export { parseIsoDate } from './iso-date.util.js';
export { decodeJson, encodeJson, JSON_CONTENT_TYPE, jsonCodec } from './json.codec.js';
export { DEFAULT_REPR_LENGTH, reprArgs, reprKwargs, reprValue } from './repr.js';
export {
  DEFAULT_SECRET_KEYS,
  isSecretKey,
  maskUrlPasswords,
  REDACTED,
  secretMatcher,
} from './secret-keys.util.js';
export type { SecretMatcher } from './secret-keys.util.js';
export type { TaskHeaders, TaskMessage } from './task-message.interface.js';
