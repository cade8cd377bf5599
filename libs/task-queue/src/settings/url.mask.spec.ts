import { describe, expect, it } from '@jest/globals';
import { assert, property, string } from 'fast-check';
import { maskUrl } from './url.mask.js';

describe('maskUrl', () => {
  it.each([
    ['redis://localhost:6379/0', 'redis://localhost:6379/0'],
    ['redis://user@localhost', 'redis://user@localhost'],
    ['redis://:hunter2@localhost:6379/0', 'redis://:**@localhost:6379/0'],
    ['redis://user:hunter2@localhost', 'redis://user:**@localhost'],
    ['redis://user:h@nt:e/r2@localhost/0', 'redis://user:**@localhost/0'],
    ['redis://user:hun;ter2@localhost', 'redis://user:**@localhost'],
    ['sentinel://:a@h1:1;sentinel://:b@h2:2', 'sentinel://:**@h1:1;sentinel://:**@h2:2'],
    ['postgresql://u:p@h/db?sslmode=require', 'postgresql://u:**@h/db?sslmode=require'],
    ['postgresql://h/db?user=u&password=p&x=1', 'postgresql://h/db?user=u&password=**&x=1'],
    ['redis://h?Access_Token=abc', 'redis://h?Access_Token=**'],
    ['redis://h?global_keyprefix=app', 'redis://h?global_keyprefix=app'],
    ['connect redis://:p@h:1 failed', 'connect redis://:**@h:1 failed'],
    ['user:pass@host', 'user:**@host'],
    ['host=h password=p', 'host=h password=**'],
    ['memory://', 'memory://'],
    ['', ''],
  ])('%s becomes %s', (url, expected) => {
    expect(maskUrl(url)).toBe(expected);
  });

  it.each([
    ['redis://:a b@host', 'redis://:**@host'],
    ["redis://:it's@host, redis://:b@h2", 'redis://:**@host, redis://:**@h2'],
  ])('takes spaces and quotes in the password of %s', (url, expected) => {
    expect(maskUrl(url)).toBe(expected);
  });

  it('never shows a password, whatever it holds', () => {
    assert(
      property(string(), (rest) => {
        expect(maskUrl(`redis://user:s3cr3t${rest}@host:6379/0`)).not.toContain('s3cr3t');
      }),
    );
  });
});
