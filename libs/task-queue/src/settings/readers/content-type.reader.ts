import type { Reading } from '../setting-definition.interface.js';
import { listItems } from './value.reader.js';

const JSON_NAMES = new Set(['json', 'application/json']);

const REASONS: Readonly<Record<string, string>> = {
  pickle: 'it runs code that comes with the message, and is a format of Python',
  'application/x-python-serialize': 'it runs code that comes with the message',
  yaml: 'decoding it can build arbitrary objects',
  'application/x-yaml': 'decoding it can build arbitrary objects',
  auth: 'signed messages are not part of this version',
};

/** Reads the name of a serializer. */
export function readSerializer(raw: unknown): Reading {
  if (typeof raw !== 'string') {
    return { problem: "is not the name of a serializer: write 'json'." };
  }
  const name = raw.trim().toLowerCase();
  return JSON_NAMES.has(name) ? { value: 'json' } : { problem: refusal(name) };
}

/** Reads a list of content types that may be decoded. */
export function readContentTypes(raw: unknown): Reading {
  const items = listItems(raw);
  if (items === undefined || items.length === 0) {
    return { problem: "is not a list of content types: write ['json']." };
  }
  const readings = items.map(readSerializer);
  const problem = readings.find((reading) => 'problem' in reading);
  return problem ?? { value: Object.freeze(['json']) };
}

function refusal(name: string): string {
  const reason = Object.hasOwn(REASONS, name) ? REASONS[name]! : 'no such codec is built in';
  return `asks for '${name.slice(0, 40)}', which is not supported: ${reason}. Use 'json'.`;
}
