import { readFileSync } from 'node:fs';
import { ImproperlyConfigured } from '../../errors/task-queue.errors.js';
import type { BrokerOptions } from '../broker-options.interface.js';

/** Where a Redis is and how to reach it, as plain data that can be handed to a thread. */
export type RedisEndpoint =
  | { readonly kind: 'standalone'; readonly options: RedisConnectOptions }
  | { readonly kind: 'sentinel'; readonly options: RedisConnectOptions }
  | {
      readonly kind: 'cluster';
      readonly nodes: readonly { host: string; port: number }[];
      readonly options: RedisConnectOptions;
    };

/** The part of ioredis' options that an endpoint sets. */
export interface RedisConnectOptions {
  host?: string;
  port?: number;
  db?: number;
  username?: string;
  password?: string;
  tls?: Record<string, unknown>;
  sentinels?: { host: string; port: number }[];
  name?: string;
  sentinelUsername?: string;
  sentinelPassword?: string;
  sentinelTLS?: Record<string, unknown>;
  enableTLSForSentinelMode?: boolean;
  connectTimeout?: number;
  commandTimeout?: number;
  keepAlive?: number;
}

type EndpointSource = Pick<BrokerOptions, 'url' | 'ssl' | 'transportOptions'>;

const TLS_SCHEME = /^(rediss|valkeys|sentinels)(\+cluster)?$/;

/**
 * Reads a Redis URL as Celery writes it:
 * `redis://`, `rediss://` and `valkey://` `[user:password@][host[:port]][/db]`; `localhost`,
 * 6379 and 0 where nothing is said,
 * `sentinel://host:port;sentinel://host:port/db` with the transport option `master_name`,
 * `redis+cluster://host:port,host:port`. Query parameters `ssl_cert_reqs`, `ssl_ca_certs`,
 * `ssl_certfile` and `ssl_keyfile` are Celery's.
 *
 * @throws ImproperlyConfigured when the URL cannot be read; the message never shows a password.
 */
export function parseRedisUrl(source: EndpointSource): RedisEndpoint {
  const parts = splitHosts(source.url);
  const scheme = /^([a-z+]+):\/\//i.exec(parts[0] ?? '')?.[1]?.toLowerCase() ?? '';
  const urls = parts.map((part) => toUrl(part, scheme));
  const first = urls[0];
  if (!first) {
    throw new ImproperlyConfigured(
      'The Redis URL is empty. Write it as redis://[user:password@]host:port/db.',
    );
  }
  const options = connectOptions(urls, scheme, source);
  const nodes = urls.map((url, index) => ({
    host: hostOf(url),
    port: portOf(url, parts[index]!, defaultPort(scheme)),
  }));
  if (scheme.endsWith('+cluster')) {
    return { kind: 'cluster', nodes, options };
  }
  if (scheme.startsWith('sentinel')) {
    return { kind: 'sentinel', options: sentinelOptions(nodes, options, source, urls) };
  }
  if (nodes.length > 1) {
    throw new ImproperlyConfigured(
      'A Redis URL names one server. For several, use sentinel://a:26379;sentinel://b:26379/0 ' +
        'or redis+cluster://a:6379,b:6379.',
    );
  }
  return { kind: 'standalone', options: { ...options, ...nodes[0] } };
}

/** Scheme, hosts and database, without any credentials. */
export function describeEndpoint(endpoint: RedisEndpoint): string {
  const { options } = endpoint;
  const tls = options.tls ? 'rediss' : 'redis';
  const address = ({ host, port }: { host: string; port: number }): string =>
    host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  switch (endpoint.kind) {
    case 'cluster':
      return `${tls}+cluster://${endpoint.nodes.map(address).join(',')}`;
    case 'sentinel':
      return `sentinel://${(options.sentinels ?? []).map(address).join(';')}/${options.db ?? 0} (${options.name ?? ''})`;
    default:
      return `${tls}://${address({ host: options.host ?? 'localhost', port: options.port ?? 6379 })}/${options.db ?? 0}`;
  }
}

/** Whether two endpoints are one server, so that one script can write to both databases. */
export function isSameServer(a: RedisEndpoint, b: RedisEndpoint): boolean {
  return a.kind === b.kind && serverOf(a) === serverOf(b);
}

/** Where a server is and who logs in; not which database, and not how long calls may take. */
function serverOf(endpoint: RedisEndpoint): string {
  const {
    db: _,
    connectTimeout: _c,
    commandTimeout: _t,
    keepAlive: _k,
    ...server
  } = endpoint.options;
  return JSON.stringify([server, endpoint.kind === 'cluster' ? endpoint.nodes : []]);
}

/**
 * One URL for every host. `;` and `,` separate hosts and URLs, except in a password; what
 * follows the last host of a list belongs to all of them.
 */
function splitHosts(text: string): string[] {
  return text
    .replace(/[;,\s]+$/, '')
    .split(/[;,](?=\s*[a-z+]+:\/\/)/i)
    .flatMap((url) => {
      const [, scheme = '', login = '', hosts = '', rest = ''] =
        /^\s*([a-z+]+:\/\/)?((?:[^/?#]*@)?)([^/?#]*)(.*?)\s*$/is.exec(url) ?? [];
      const [first = '', ...others] = hosts.split(/[;,]/).map((host) => host.trim());
      return [
        scheme + login + (first === '' && scheme !== '' ? 'localhost' : first) + rest,
        ...others.filter((host) => host !== '').map((host) => scheme + host),
      ];
    })
    .filter((url) => url !== '');
}

function toUrl(part: string, scheme: string): URL {
  try {
    // The parser treats hosts of unknown schemes loosely; http's rules are the ones wanted.
    return new URL(part.includes('://') ? part.replace(/^[a-z+]+:/i, 'http:') : `http://${part}`);
  } catch (cause) {
    throw new ImproperlyConfigured(
      `A ${scheme || 'Redis'} URL cannot be read. Write it as ` +
        `${scheme || 'redis'}://[user:password@]host:port/db, with special characters of the ` +
        'password percent-encoded.',
      { cause: new Error((cause as Error).name) },
    );
  }
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '') || 'localhost';
}

function portOf(url: URL, part: string, fallback: number): number {
  // The http rules drop ':80'.
  const given = url.port || /:0*(80)(?=[/?#]|$)/.exec(part.slice(part.lastIndexOf('@') + 1))?.[1];
  return given ? Number(given) : fallback;
}

function defaultPort(scheme: string): number {
  return scheme.startsWith('sentinel') ? 26379 : 6379;
}

function connectOptions(
  urls: readonly URL[],
  scheme: string,
  source: EndpointSource,
): RedisConnectOptions {
  const withLogin = urls.find((url) => url.password !== '' || url.username !== '') ?? urls[0]!;
  const tls = tlsOptions(urls, scheme, source.ssl);
  const connectTimeout = secondsOption(source, 'socket_connect_timeout');
  const commandTimeout = secondsOption(source, 'socket_timeout');
  return {
    ...(withLogin.username ? { username: decoded(withLogin.username) } : {}),
    ...(withLogin.password ? { password: decoded(withLogin.password) } : {}),
    ...(scheme.endsWith('+cluster') ? {} : { db: databaseOf(urls, source) }),
    ...(tls ? { tls } : {}),
    ...(connectTimeout === undefined ? {} : { connectTimeout }),
    ...(commandTimeout === undefined ? {} : { commandTimeout }),
    ...(source.transportOptions['socket_keepalive'] === true ? { keepAlive: 10_000 } : {}),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not kept as `cause`, and not quoted: it is a secret.
    throw new ImproperlyConfigured(
      "The user or the password of a Redis URL holds a '%' that encodes nothing. Write it as %25.",
    );
  }
}

/** A query parameter, on whichever of the URLs it was written. */
function parameter(urls: readonly URL[], name: string): string | undefined {
  return urls.map((url) => url.searchParams.get(name)).find((value) => value !== null) ?? undefined;
}

function databaseOf(urls: readonly URL[], source: EndpointSource): number {
  const { db = 0 } = source.transportOptions as { db?: number | string };
  const text = urls.map((url) => url.pathname.replace(/^\/|\/$/g, '')).find(Boolean) ?? `${db}`;
  if (!/^\d+$/.test(text)) {
    // Not quoted: with an unencoded '/' in the password, it is a part of that.
    throw new ImproperlyConfigured(
      'The database of a Redis URL is a number. Write it as redis://host:port/0, with special ' +
        'characters of the password percent-encoded.',
    );
  }
  return Number(text);
}

function tlsOptions(
  urls: readonly URL[],
  scheme: string,
  ssl: unknown,
): Record<string, unknown> | undefined {
  const asked = ssl === true || (typeof ssl === 'object' && ssl !== null);
  if (!asked && !TLS_SCHEME.test(scheme)) {
    return undefined;
  }
  const given = typeof ssl === 'object' && ssl !== null ? (ssl as Record<string, unknown>) : {};
  const requirement =
    parameter(urls, 'ssl_cert_reqs') ?? (given['ssl_cert_reqs'] as string | undefined);
  const file = (name: string): Record<string, unknown> => {
    const path = parameter(urls, name) ?? given[name];
    return typeof path === 'string' ? { [TLS_FILES[name]!]: readTlsFile(name, path) } : {};
  };
  const native = Object.fromEntries(
    Object.entries(given).filter(([key, value]) => !key.startsWith('ssl_') && isPlain(value)),
  );
  return {
    ...native,
    ...(requirement === undefined
      ? {}
      : { rejectUnauthorized: !/none|optional|false/i.test(requirement) }),
    ...file('ssl_ca_certs'),
    ...file('ssl_certfile'),
    ...file('ssl_keyfile'),
  };
}

const TLS_FILES: Readonly<Record<string, string>> = {
  ssl_ca_certs: 'ca',
  ssl_certfile: 'cert',
  ssl_keyfile: 'key',
};

function readTlsFile(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new ImproperlyConfigured(
      `The file that ${name} names, '${path}', cannot be read. Check the path and its permissions.`,
      { cause },
    );
  }
}

function isPlain(value: unknown): boolean {
  return typeof value !== 'function' && typeof value !== 'symbol';
}

function sentinelOptions(
  nodes: { host: string; port: number }[],
  options: RedisConnectOptions,
  source: EndpointSource,
  urls: readonly URL[],
): RedisConnectOptions {
  const masterName = source.transportOptions['master_name'] ?? parameter(urls, 'master_name');
  if (typeof masterName !== 'string' || masterName === '') {
    throw new ImproperlyConfigured(
      'A sentinel:// URL needs the name of the master. Set it in ' +
        "CELERY_BROKER_TRANSPORT_OPTIONS, for example { master_name: 'mymaster' }; for results " +
        'in CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS.',
    );
  }
  const login = (source.transportOptions['sentinel_kwargs'] ?? {}) as Record<string, unknown>;
  return {
    ...options,
    sentinels: nodes,
    name: masterName,
    ...(typeof login['username'] === 'string' ? { sentinelUsername: login['username'] } : {}),
    ...(typeof login['password'] === 'string' ? { sentinelPassword: login['password'] } : {}),
    ...(options.tls ? { sentinelTLS: options.tls, enableTLSForSentinelMode: true } : {}),
  };
}

function secondsOption(source: EndpointSource, name: string): number | undefined {
  const value = source.transportOptions[name];
  return typeof value === 'number' ? value * 1000 : undefined;
}
