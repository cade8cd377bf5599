import { hostname } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { expandNodeName } from './node-name.js';

describe('expandNodeName', () => {
  it.each([
    ['mail@%h', 'mail@web-1.example.org'],
    ['mail@%n', 'mail@web-1'],
    ['mail@%d', 'mail@example.org'],
    ['mail', 'mail@web-1.example.org'],
    ['mail-%n', 'mail-web-1@web-1.example.org'],
    [`w%p@%h`, `w${process.pid}@web-1.example.org`],
    ['50%%@%h', '50%@web-1.example.org'],
    ['%%h@%h', '%h@web-1.example.org'],
    ['mail@%x', 'mail@%x'],
    ['mail@100%', 'mail@100%'],
  ])('makes %s to %s', (template, expected) => {
    expect(expandNodeName(template, 'web-1.example.org')).toBe(expected);
  });

  it('takes a host without a domain', () => {
    expect(expandNodeName('a@%h|%n|%d', 'web-1')).toBe('a@web-1|web-1|');
  });

  it('takes the host of this machine when none is given', () => {
    expect(expandNodeName('celery@%h')).toBe(`celery@${hostname()}`);
  });
});
