import { describe, expect, it } from '@jest/globals';
import { readBrokerUrl } from './broker-url.reader.js';
import { decideResultBackend } from './result-backend.reader.js';

describe('readBrokerUrl', () => {
  it.each([
    'redis://localhost',
    'redis://localhost:6379/0',
    'rediss://user:p%40ss@localhost:6379/15',
    'valkey://localhost:6379',
    'redis://[::1]:6379/0',
    'redis+cluster://h1:7000,h2:7001',
    'sentinel://h1:26379;sentinel://h2:26379',
    'postgresql://u:p@localhost:5432/db?sslmode=require',
    'postgres://h1:5432,h2:5432/db',
    'memory://',
  ])('takes %s', (url) => {
    expect(readBrokerUrl(url)).toEqual({ value: url });
  });

  it('joins sentinels given as an array or as JSON', () => {
    const urls = ['sentinel://h1:26379', 'sentinel://h2:26379'];
    expect(readBrokerUrl(urls)).toEqual({ value: urls.join(';') });
    expect(readBrokerUrl(JSON.stringify(urls))).toEqual({ value: urls.join(';') });
  });

  it('takes one URL in an array, and a trailing semicolon', () => {
    expect(readBrokerUrl(['redis://h'])).toEqual({ value: 'redis://h' });
    expect(readBrokerUrl('redis://h;')).toEqual({ value: 'redis://h' });
  });

  it.each<[unknown, RegExp]>([
    ['amqp://guest@localhost//', /the broker 'amqp', which is not supported.*redis:\/\/localhost/],
    ['sqs://', /the broker 'sqs', which is not supported/],
    ['redis+socket:///tmp/redis.sock', /a Unix socket/],
    ['localhost:6379', /has no scheme/],
    ['redis://a;redis://b', /names several brokers/],
    [['redis://a', 'redis://b'], /names several brokers/],
    [['sentinel://a', 'redis://b'], /names several brokers/],
    ['redis://user:p#ss@host:6379', /not a well-formed URL|database number/],
    ['redis://host:99999', /not a well-formed URL/],
    ['redis://host/mydb', /no database number/],
    ['sentinel://', /names no host/],
    [[], /is not a broker URL/],
    [[5], /is not a broker URL/],
    [6379, /is not a broker URL/],
  ])('refuses %p', (url, problem) => {
    expect(readBrokerUrl(url)).toEqual({ problem: expect.stringMatching(problem) });
  });
});

describe('decideResultBackend', () => {
  it.each([
    ['redis://h:6379/1', 'redis://h:6379/1'],
    ['rediss://h', 'rediss://h'],
    ['sentinel://h1;sentinel://h2', 'sentinel://h1;sentinel://h2'],
    ['cache', 'cache'],
    [' Django-Cache ', 'cache'],
  ])('takes %s', (raw, value) => {
    expect(decideResultBackend(raw)).toEqual({ value });
  });

  it.each(['django-db', 'database', 'db+postgresql://u:secret@h/db', 'db+sqlite:///x'])(
    'refuses %s, and names what to use',
    (raw) => {
      const reading = decideResultBackend(raw);
      expect(reading).toEqual({
        problem: expect.stringMatching(
          /SQL result backend \(results in your database\).*redis:\/\/.*'cache'.*unset/,
        ),
      });
      expect(JSON.stringify(reading)).not.toContain('secret');
    },
  );

  it.each<[unknown, RegExp]>([
    ['rpc://', /results as AMQP messages/],
    ['amqp', /results as AMQP messages/],
    ['disabled', /task_ignore_result/],
    ['postgresql://h/db', /only when it is the broker too/],
    ['mongodb://h', /is not a result backend that is supported/],
    ['redis', /is not a result backend that is supported/],
    ['cache+memcached://h', /is not a result backend that is supported/],
    ['redis://h/x', /no database number/],
    [5, /is not a result backend that is supported/],
    [{}, /is not a result backend that is supported/],
  ])('refuses %p', (raw, problem) => {
    expect(decideResultBackend(raw)).toEqual({ problem: expect.stringMatching(problem) });
  });
});
