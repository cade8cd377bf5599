import {
  ContentDisallowed,
  DecodeError,
  EncodeError,
  TaskQueueError,
} from '../errors/task-queue.errors.js';
import type { Codec } from './codec.interface.js';
import { encodeJson, JSON_CONTENT_TYPE, jsonCodec, parseJson } from './json.codec.js';
import { reprValue } from './repr.js';
import { headerFault, isDefaultHeader, isRecord, kindOf } from './task-headers.rules.js';
import type { TaskHeaders, TaskMessage } from './task-message.interface.js';
import { mayHoldTypedValues, reviveTypedValues } from './typed-json.decoder.js';
import { setOwn } from './typed-json.format.js';

/** The version of the wire form, its field `v`. */
export const ENVELOPE_VERSION = 1;

/** How `encodeEnvelope` writes. */
export interface EncodeEnvelopeOptions {
  /** How the arguments are encoded. Default: JSON. It decides the header `content_type`. */
  readonly codec?: Codec;
  /** Largest wire form in bytes of UTF-8 (`task_max_payload_bytes`); `Infinity`: no limit. */
  readonly maxBytes: number;
}

/** How `decodeEnvelope` reads. */
export interface DecodeEnvelopeOptions {
  /** The content types that may be decoded (`accept_content`), from `CodecRegistry.acceptList`. */
  readonly acceptContent: ReadonlySet<string>;
}

/** A message whose headers were read and checked, and whose arguments were not yet touched. */
export interface DecodedEnvelope {
  /** How `payload` is encoded. */
  readonly contentType: string;
  /** Without `null`s. Headers that this version does not know are kept as they came. */
  readonly headers: TaskHeaders;
  /** The encoded arguments, for `decodeArgs`. */
  readonly payload: string;
}

/** The arguments of a task. */
export interface DecodedArgs {
  readonly args: unknown[];
  readonly kwargs: Record<string, unknown>;
}

/**
 * Makes the wire form of a message: `{"v":1,"a":"[[2,3]]","h":{}}`. `a` is one string that holds
 * `[args]` or `[args, kwargs]`, so that no store can change what is in it. The id and the name of
 * the task are not in it: they are those of the job.
 *
 * @throws EncodeError - An argument or a header cannot be encoded, a header is of a wrong type,
 * or the whole is larger than `maxBytes`.
 */
export function encodeEnvelope(message: TaskMessage, options: EncodeEnvelopeOptions): string {
  const codec = options.codec ?? jsonCodec;
  const payload = encodeArgs(message, codec);
  const headers = encodeHeaders(message, codec.contentType);
  const data = `{"v":${ENVELOPE_VERSION},"a":${JSON.stringify(payload)},"h":${headers}}`;
  // A character takes three bytes at most: measuring is only worth it near the limit.
  if (data.length * 3 > options.maxBytes) {
    const bytes = Buffer.byteLength(data);
    if (bytes > options.maxBytes) {
      throw new EncodeError(
        `The message for the task '${message.task}' takes ${bytes} bytes, more than the ` +
          `${options.maxBytes} that task_max_payload_bytes allows. Store the data elsewhere and ` +
          'pass a reference to it, or raise task_max_payload_bytes.',
      );
    }
  }
  return data;
}

/**
 * Reads the headers of a wire form and leaves the arguments encoded, so that a message can be
 * logged and refused without decoding what is in it.
 *
 * @throws ContentDisallowed - The content type is not in `acceptContent`.
 * @throws DecodeError - Anything else is wrong. The sentence says what, and never quotes the data.
 */
export function decodeEnvelope(data: string, options: DecodeEnvelopeOptions): DecodedEnvelope {
  if (typeof data !== 'string') throw malformed(`it must be a string, but it is ${kindOf(data)}`);
  const envelope = parseJson(data, 'The task message');
  if (!isRecord(envelope)) throw malformed(`it must be an object, but it is ${kindOf(envelope)}`);
  checkVersion(own(envelope, 'v'));
  const payload = own(envelope, 'a');
  if (payload === undefined) throw malformed("its field 'a' with the arguments is missing");
  if (typeof payload !== 'string') {
    throw malformed(`its field 'a' must be a string, but it is ${kindOf(payload)}`);
  }
  const headers = decodeHeaders(own(envelope, 'h') ?? {}, mayHoldTypedValues(data));
  const contentType = headers.content_type ?? JSON_CONTENT_TYPE;
  if (!options.acceptContent.has(contentType)) {
    throw new ContentDisallowed(
      `The task message has the content type ${reprValue(contentType, 80)}, which accept_content ` +
        'does not list. Add its codec to accept_content if you trust whoever sends it.',
    );
  }
  return { contentType, headers, payload };
}

/**
 * Decodes the arguments of a message: the second step after `decodeEnvelope`.
 *
 * @param codec - The codec of `DecodedEnvelope.contentType`. Default: JSON.
 * @throws DecodeError - The payload is not `[args]` or `[args, kwargs]`, or cannot be decoded.
 */
export function decodeArgs(payload: string, codec: Codec = jsonCodec): DecodedArgs {
  const decoded = decodePayload(payload, codec);
  if (!Array.isArray(decoded) || decoded.length < 1 || decoded.length > 2) {
    throw malformed(`its field 'a' must hold [args] or [args, kwargs], not ${kindOf(decoded)}`);
  }
  const [args, kwargs = {}] = decoded as unknown[];
  if (!Array.isArray(args)) {
    throw malformed(`its positional arguments must be an array, but they are ${kindOf(args)}`);
  }
  if (!isRecord(kwargs)) {
    throw malformed(`its keyword arguments must be an object, but they are ${kindOf(kwargs)}`);
  }
  return { args, kwargs };
}

function encodeArgs(message: TaskMessage, codec: Codec): string {
  const { args, kwargs } = message;
  const hasKwargs = Object.keys(kwargs).length > 0;
  if (codec !== jsonCodec) return codec.encode(hasKwargs ? [args, kwargs] : [args], 'payload');
  // In two parts, so that an error says `args[0]` or `kwargs.user`, as the caller wrote it.
  const head = encodeJson(args, 'args');
  return hasKwargs ? `[${head},${encodeJson(kwargs, 'kwargs')}]` : `[${head}]`;
}

function encodeHeaders(message: TaskMessage, contentType: string): string {
  const wire: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(message.headers)) {
    if (name === 'content_type' || name === '__proto__') continue;
    const fault = headerFault(name, value);
    if (fault !== null) throw new EncodeError(`The header '${name}' ${fault}.`, `headers.${name}`);
    if (!isDefaultHeader(name, value, message)) wire[name] = value;
  }
  if (contentType !== JSON_CONTENT_TYPE) wire.content_type = contentType;
  const text = encodeJson(wire, 'headers');
  if (holdsUnstorable(text)) throw unstorable(wire);
  return text;
}

function decodeHeaders(headers: unknown, mayBeTyped: boolean): TaskHeaders {
  if (!isRecord(headers)) {
    throw malformed(`its field 'h' must be an object, but it is ${kindOf(headers)}`);
  }
  const out: Record<string, unknown> = {};
  for (const name of Object.keys(headers)) {
    // Headers are merged and copied on their way; this one could change a copy's prototype.
    if (name === '__proto__') continue;
    const value = mayBeTyped ? reviveTypedValues(headers[name]) : headers[name];
    const fault = headerFault(name, value);
    if (fault !== null) throw malformed(`its header '${name}' ${fault}`);
    if (value !== null) setOwn(out, name, value);
  }
  return out;
}

function decodePayload(payload: string, codec: Codec): unknown {
  try {
    return codec.decode(payload);
  } catch (error) {
    if (error instanceof TaskQueueError) throw error;
    // Not kept as `cause`: a foreign codec may quote the payload.
    throw new DecodeError(
      `The codec '${codec.name}' could not decode the arguments (${payload.length} characters). ` +
        'Check that the sender uses the same codec.',
    );
  }
}

function checkVersion(version: unknown): void {
  if (version === ENVELOPE_VERSION) return;
  if (version === undefined) throw malformed("its field 'v' with the version is missing");
  if (typeof version !== 'number') throw malformed(`its version is ${kindOf(version)}`);
  throw new DecodeError(
    `The task message has the version ${version}, but this library reads version ` +
      `${ENVELOPE_VERSION}. Bring the sender and the worker to the same release.`,
  );
}

function malformed(fault: string): DecodeError {
  return new DecodeError(
    `The task message is malformed: ${fault}. Check the program that wrote it.`,
  );
}

function own(record: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** Finds `\u0000` and lone surrogates, which `JSON.stringify` escapes, in a JSON text. */
function holdsUnstorable(text: string): boolean {
  return text.includes('\\u') && /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/.test(text);
}

function unstorable(wire: Readonly<Record<string, unknown>>): EncodeError {
  const name = Object.keys(wire).find((key) => holdsUnstorable(encodeJson({ [key]: wire[key] })));
  const path = `headers.${name ?? ''}`;
  return new EncodeError(
    `${path} holds a NUL character or half of a surrogate pair, which not every store can keep. ` +
      'Pass it as an argument instead, or take the character out.',
    path,
  );
}
