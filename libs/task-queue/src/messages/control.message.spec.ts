import { describe, expect, it } from '@jest/globals';
import { decodeControl, encodeControl } from './control.message.js';

describe('a control message', () => {
  it('comes back as it was sent, in the form of Celery', () => {
    const message = { method: 'revoke', id: 'a"b', terminate: true } as const;
    const text = encodeControl(message);
    expect(JSON.parse(text)).toEqual({
      method: 'revoke',
      arguments: { task_id: 'a"b', terminate: true, signal: null },
    });
    expect(decodeControl(text)).toEqual(message);
  });

  it.each([
    'not json',
    'null',
    '[]',
    '"revoke"',
    '{"method":"shutdown","arguments":{}}',
    '{"method":"revoke"}',
    '{"method":"revoke","arguments":{"task_id":["a"]}}',
  ])('of another kind is not one of ours: %s', (text) => {
    expect(decodeControl(text)).toBeUndefined();
  });
});
