import { describe, expect, it } from '@jest/globals';
import { isSecretKey, maskUrlPasswords, secretMatcher } from './secret-keys.util.js';

describe('isSecretKey', () => {
  it.each([
    'password',
    'PASSWORD',
    'userPassword',
    'passwd',
    'client_secret',
    'accessToken',
    'api_key',
    'X-Api-Key',
    'apikey',
    'Authorization',
    'Set-Cookie',
    'privateKey',
    'credit card',
  ])('%s is a secret', (key) => {
    expect(isSecretKey(key)).toBe(true);
  });

  it.each(['', 'name', 'key', 'pass', 'author', 'email', 'card'])('%p is none', (key) => {
    expect(isSecretKey(key)).toBe(false);
  });
});

describe('secretMatcher', () => {
  it('takes other words, literally', () => {
    const matches = secretMatcher(['iban', 'a.b', '']);
    expect(matches('customerIBAN')).toBe(true);
    expect(matches('a.b')).toBe(true);
    expect(matches('axb')).toBe(false);
    expect(matches('password')).toBe(false);
    expect(secretMatcher([])('password')).toBe(false);
  });
});

describe('maskUrlPasswords', () => {
  it.each([
    ['redis://:hunter2@host:6379/0', 'redis://:********@host:6379/0'],
    ['at postgres://me:a/b@c@host/db.', 'at postgres://me:********@host/db.'],
    ['amqp://u:p@h "redis://u:q@h"', 'amqp://u:********@h "redis://u:********@h"'],
    ['http://localhost:3000/@scope/x', 'http://localhost:3000/@scope/x'],
    ['http://me@host/', 'http://me@host/'],
    ['redis://:12345@host', 'redis://:********@host'],
    ['file:///a/b.js:10:5 me@host', 'file:///a/b.js:10:5 me@host'],
    ['a:b@c', 'a:b@c'],
  ])('%s', (text, masked) => {
    expect(maskUrlPasswords(text)).toBe(masked);
  });

  it('takes linear time on hostile text', () => {
    const started = performance.now();
    maskUrlPasswords('://:a'.repeat(20_000));
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
