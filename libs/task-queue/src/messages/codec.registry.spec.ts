import { describe, expect, it } from '@jest/globals';
import { ImproperlyConfigured } from '../errors/task-queue.errors.js';
import type { Codec } from './codec.interface.js';
import { CodecRegistry } from './codec.registry.js';
import { jsonCodec } from './json.codec.js';

const hex: Codec = {
  name: 'hex',
  contentType: 'application/x-hex',
  decode: (text) => JSON.parse(Buffer.from(text, 'hex').toString()),
  encode: (value) => Buffer.from(JSON.stringify(value)).toString('hex'),
};

describe('CodecRegistry', () => {
  it('starts with json, found by name and by content type in any case', () => {
    const registry = new CodecRegistry();
    for (const key of ['json', 'JSON', 'application/json', 'Application/JSON']) {
      expect(registry.resolve(key)).toBe(jsonCodec);
    }
  });

  it('keeps what is registered to itself', () => {
    const registry = new CodecRegistry().register(hex).register(hex);
    expect(registry.resolve('application/x-hex')).toBe(hex);
    expect(() => new CodecRegistry().resolve('hex')).toThrow(ImproperlyConfigured);
  });

  it('refuses a second codec of the same name or content type', () => {
    const registry = new CodecRegistry().register(hex);
    expect(() => registry.register({ ...hex, contentType: 'x/y' })).toThrow(ImproperlyConfigured);
    expect(() => registry.register({ ...hex, name: 'hex2' })).toThrow(/Choose another/);
    expect(registry.resolve('hex')).toBe(hex);
  });

  it('names the codecs there are when asked for another', () => {
    const registry = new CodecRegistry().register(hex);
    expect(() => registry.resolve('yaml')).toThrow(
      "There is no codec 'yaml'. Use 'json' (application/json) or 'hex' (application/x-hex), " +
        'or register a codec of that name.',
    );
    expect(() => registry.resolve('pickle')).toThrow(/running code from the message/);
    expect(() => registry.resolve('__proto__')).toThrow(ImproperlyConfigured);
  });

  it('turns accept_content into content types', () => {
    const registry = new CodecRegistry().register(hex);
    expect(registry.acceptList(['json', 'application/x-hex'])).toEqual(
      new Set(['application/json', 'application/x-hex']),
    );
    expect(registry.acceptList([])).toEqual(new Set());
    expect(() => registry.acceptList(['json', 'pickle'])).toThrow(ImproperlyConfigured);
  });
});
