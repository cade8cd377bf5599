import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ImproperlyConfigured } from '../../errors/task-queue.errors.js';
import { describeEndpoint, isSameServer, parseRedisUrl } from './redis-endpoint.js';

function parse(url: string, transportOptions: Record<string, unknown> = {}, ssl?: unknown) {
  return parseRedisUrl({ url, transportOptions, ssl });
}

function optionsOf(url: string, transportOptions?: Record<string, unknown>, ssl?: unknown) {
  return parse(url, transportOptions, ssl).options;
}

/** What is thrown, as text, cause included. */
function refusalOf(url: string, transportOptions?: Record<string, unknown>): string {
  try {
    parse(url, transportOptions);
  } catch (error) {
    if (!(error instanceof ImproperlyConfigured)) {
      throw error;
    }
    const { message, cause } = error;
    return `${message} ${String(cause)} ${JSON.stringify(error)}`;
  }
  throw new Error('It was taken.');
}

describe('a redis:// URL', () => {
  it.each([
    ['redis://host:6380/2', { host: 'host', port: 6380, db: 2 }],
    ['redis://host', { host: 'host', port: 6379, db: 0 }],
    ['redis://host/', { host: 'host', port: 6379, db: 0 }],
    ['redis://host/3/', { host: 'host', port: 6379, db: 3 }],
    ['redis://host:80/1', { host: 'host', port: 80, db: 1 }],
    ['redis://host:80', { host: 'host', port: 80, db: 0 }],
    ['redis://user:80@host', { host: 'host', port: 6379, db: 0, username: 'user', password: '80' }],
    ['redis://', { host: 'localhost', port: 6379, db: 0 }],
    ['redis:///1', { host: 'localhost', port: 6379, db: 1 }],
    ['redis://:pw@/1', { host: 'localhost', port: 6379, db: 1, password: 'pw' }],
    ['redis://[::1]:6380/0', { host: '::1', port: 6380, db: 0 }],
    ['REDIS://HOST:1/0', { host: 'host', port: 1, db: 0 }],
    ['valkey://host/1', { host: 'host', port: 6379, db: 1 }],
    ['  redis://host/1  ', { host: 'host', port: 6379, db: 1 }],
  ])('%s is read', (url, expected) => {
    expect(parse(url)).toEqual({ kind: 'standalone', options: expected });
  });

  it('has a user and a password, percent-encoded where need be', () => {
    expect(optionsOf('redis://us%40er:p%2Fw%3A%25@host')).toMatchObject({
      username: 'us@er',
      password: 'p/w:%',
    });
    expect(optionsOf('redis://:pw@host')).not.toHaveProperty('username');
    expect(optionsOf('redis://user@host')).not.toHaveProperty('password');
  });

  it('may have separators of hosts in its password', () => {
    expect(optionsOf('redis://:a;b,c@host/1')).toEqual({
      host: 'host',
      port: 6379,
      db: 1,
      password: 'a;b,c',
    });
  });

  it('takes the database from the transport options when it has none', () => {
    expect(optionsOf('redis://host', { db: 4 }).db).toBe(4);
    expect(optionsOf('redis://host/2', { db: 4 }).db).toBe(2);
  });

  it('takes timeouts in seconds from the transport options', () => {
    const options = { socket_connect_timeout: 1.5, socket_keepalive: true };
    expect(optionsOf('redis://host', options)).toMatchObject({
      connectTimeout: 1500,
      keepAlive: 10_000,
    });
    expect(optionsOf('redis://host', { socket_keepalive: false })).not.toHaveProperty('keepAlive');
  });

  it.each([
    ['', 'The Redis URL is empty.'],
    [' ; ', 'The Redis URL is empty.'],
    ['redis://host:port/0', 'A redis URL cannot be read.'],
    ['redis://host:70000/0', 'A redis URL cannot be read.'],
    ['redis://host/zero', 'The database of a Redis URL is a number.'],
    ['redis://host/-1', 'The database of a Redis URL is a number.'],
    ['redis://a:1;redis://b:2', 'A Redis URL names one server.'],
    ['redis://a:1,b:2', 'A Redis URL names one server.'],
    ['redis://:100%@host', 'Write it as %25.'],
  ])('%j is refused with a way out', (url, message) => {
    expect(refusalOf(url)).toContain(message);
  });

  it.each([
    'redis://user:hunter/2@host:6379/0',
    'redis://user:1/hunter2@host:6379/0',
    'redis://user:hunter2@host:port/0',
    'redis://user:hunter2%@host/0',
    'redis://user:hunter2#x@host/0',
    'redis://user:hunter2@host/zero',
    'redis://a:1;redis://user:hunter2@b:2',
    'sentinel://user:hunter2@host',
  ])('%s is refused without showing the password', (url) => {
    expect(refusalOf(url)).not.toContain('hunter');
  });
});

describe('a sentinel:// URL', () => {
  const name = { master_name: 'mymaster' };

  it.each([
    'sentinel://a:26379;sentinel://b/2',
    'sentinel://a:26379;sentinel://b:26379/2;',
    'sentinel://a,b/2',
    'sentinel://a;b:26379/2',
  ])('%s names its sentinels and the database', (url) => {
    expect(parse(url, name)).toEqual({
      kind: 'sentinel',
      options: {
        db: 2,
        name: 'mymaster',
        sentinels: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 26379 },
        ],
      },
    });
  });

  it('logs in at the servers with its password, at the sentinels with their own', () => {
    const options = { ...name, sentinel_kwargs: { username: 'u', password: 'sentinels' } };
    expect(optionsOf('sentinel://:servers@a;sentinel://:servers@b', options)).toMatchObject({
      password: 'servers',
      sentinelUsername: 'u',
      sentinelPassword: 'sentinels',
    });
    expect(optionsOf('sentinel://a;sentinel://:servers@b', name).password).toBe('servers');
  });

  it('may name the master in its query, on any of its URLs', () => {
    expect(optionsOf('sentinel://a?master_name=one').name).toBe('one');
    expect(optionsOf('sentinel://a;sentinel://b/0?master_name=two').name).toBe('two');
  });

  it('encrypts to the sentinels too', () => {
    const options = optionsOf('sentinels://a', name);
    expect(options).toMatchObject({ tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true });
    expect(optionsOf('sentinel://a', name)).not.toHaveProperty('enableTLSForSentinelMode');
  });

  it('needs the name of the master', () => {
    expect(refusalOf('sentinel://a')).toMatch(/CELERY_BROKER_TRANSPORT_OPTIONS.*master_name/);
    expect(refusalOf('sentinel://a', { master_name: '' })).toContain('master_name');
  });
});

describe('a redis+cluster:// URL', () => {
  it('names its nodes, and has no database', () => {
    expect(parse('redis+cluster://:pw@a:7000,b,c:80')).toEqual({
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 7000 },
        { host: 'b', port: 6379 },
        { host: 'c', port: 80 },
      ],
      options: { password: 'pw' },
    });
  });

  it.each(['rediss+cluster://a', 'valkeys+cluster://a'])('%s is encrypted', (url) => {
    expect(parse(url)).toMatchObject({ kind: 'cluster', options: { tls: {} } });
  });

  it('takes its query for all nodes', () => {
    expect(optionsOf('rediss+cluster://a,b?ssl_cert_reqs=none').tls).toEqual({
      rejectUnauthorized: false,
    });
  });
});

describe('TLS', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'redis-endpoint-'));
    for (const name of ['ca', 'cert', 'key']) {
      writeFileSync(join(folder, name), `the ${name}`);
    }
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('is used with rediss:// and with broker_use_ssl, and not otherwise', () => {
    expect(optionsOf('redis://h')).not.toHaveProperty('tls');
    expect(optionsOf('redis://h', {}, false)).not.toHaveProperty('tls');
    expect(optionsOf('redis://h', {}, null)).not.toHaveProperty('tls');
    expect(optionsOf('rediss://h').tls).toEqual({});
    expect(optionsOf('valkeys://h').tls).toEqual({});
    expect(optionsOf('redis://h', {}, true).tls).toEqual({});
  });

  it.each([
    ['required', true],
    ['CERT_REQUIRED', true],
    ['none', false],
    ['CERT_NONE', false],
    ['optional', false],
  ])("ssl_cert_reqs=%s: the server's certificate is checked: %j", (value, rejectUnauthorized) => {
    expect(optionsOf(`rediss://h?ssl_cert_reqs=${value}`).tls).toEqual({ rejectUnauthorized });
    expect(optionsOf('redis://h', {}, { ssl_cert_reqs: value }).tls).toEqual({
      rejectUnauthorized,
    });
  });

  it("reads the files of Celery's options, and passes on Node's", () => {
    const file = (name: string): string => join(folder, name);
    const url = `rediss://h?ssl_ca_certs=${file('ca')}&ssl_certfile=${file('cert')}`;
    const ssl = { ssl_keyfile: file('key'), servername: 'other', checkServerIdentity: () => {} };
    expect(optionsOf(url, {}, ssl).tls).toEqual({
      ca: 'the ca',
      cert: 'the cert',
      key: 'the key',
      servername: 'other',
    });
  });

  it('names the option and the path of a file that cannot be read', () => {
    expect(refusalOf('rediss://h?ssl_ca_certs=/no/such/file')).toContain(
      "The file that ssl_ca_certs names, '/no/such/file', cannot be read.",
    );
  });
});

describe('describeEndpoint', () => {
  const name = { master_name: 'mymaster' };
  it.each([
    ['redis://user:hunter2@host:6380/2', {}, 'redis://host:6380/2'],
    ['rediss://:hunter2@host', {}, 'rediss://host:6379/0'],
    ['redis://[::1]/0', {}, 'redis://[::1]:6379/0'],
    ['valkey://host', {}, 'redis://host:6379/0'],
    ['sentinel://:hunter2@a;sentinel://b/3', name, 'sentinel://a:26379;b:26379/3 (mymaster)'],
    ['redis+cluster://:hunter2@a:7000,b', {}, 'redis+cluster://a:7000,b:6379'],
    ['rediss+cluster://a', {}, 'rediss+cluster://a:6379'],
  ])('of %s shows where it is, and no secret', (url, options, expected) => {
    expect(describeEndpoint(parse(url, options))).toBe(expected);
  });
});

describe('isSameServer', () => {
  const same = (a: string, b: string, options = {}): boolean =>
    isSameServer(parse(a, options), parse(b, options));

  it('does not care for the database, the spelling, or timeouts', () => {
    expect(same('redis://host:6379/0', 'redis://host/1')).toBe(true);
    expect(same('redis://host', 'valkey://HOST:6379')).toBe(true);
    expect(
      isSameServer(parse('redis://host', { socket_connect_timeout: 1 }), parse('redis://host')),
    ).toBe(true);
  });

  it.each([
    ['redis://a', 'redis://b'],
    ['redis://a:6379', 'redis://a:6380'],
    ['redis://a', 'rediss://a'],
    ['redis://:x@a', 'redis://:y@a'],
    ['redis://a', 'redis+cluster://a'],
    ['redis+cluster://a,b', 'redis+cluster://a,c'],
  ])('tells %s and %s apart', (a, b) => {
    expect(same(a, b)).toBe(false);
  });

  it('compares the sentinels and their master', () => {
    const options = { master_name: 'm' };
    expect(same('sentinel://a,b/0', 'sentinel://a,b/1', options)).toBe(true);
    expect(same('sentinel://a,b/0', 'sentinel://a,c/0', options)).toBe(false);
    const other = parse('sentinel://a,b', { master_name: 'n' });
    expect(isSameServer(parse('sentinel://a,b', options), other)).toBe(false);
  });
});
