import type { Reading } from '../setting-definition.interface.js';
import { parseJson } from './value.reader.js';

/** Schemes of Redis and of the servers that speak its protocol. */
export const REDIS_SCHEMES = ['redis', 'rediss', 'valkey', 'sentinel', 'redis+cluster'] as const;

/** Every scheme that a broker URL may have. */
export const BROKER_SCHEMES = [...REDIS_SCHEMES, 'postgresql', 'postgres', 'memory'] as const;

const EXAMPLES =
  'redis://localhost:6379/0, postgresql://user:password@localhost:5432/database or memory://';

/** What a broker URL looks like, for error messages. */
export const BROKER_URL_FORM = `write for example ${EXAMPLES}`;

const UNIX_SOCKET = /^(?:redis\+socket|unix|socket)$/;

/**
 * Reads `broker_url`: one URL, or for Sentinel several in an array or separated by `;`. They
 * are given back as one string.
 */
export function readBrokerUrl(raw: unknown): Reading {
  const urls = urlsOf(raw);
  if (urls === undefined || urls.length === 0) {
    return { problem: `is not a broker URL: ${BROKER_URL_FORM}.` };
  }
  const schemes = urls.map(schemeOf);
  if (urls.length > 1 && schemes.some((scheme) => scheme !== 'sentinel')) {
    return {
      problem:
        'names several brokers. Failing over from one broker URL to another is not supported, ' +
        'because the tasks in the first would be lost from sight: write one URL, or for high ' +
        "availability 'sentinel://host1:26379;sentinel://host2:26379' or 'redis+cluster://host'.",
    };
  }
  const problem = urls.map((url, index) => problemOf(url, schemes[index])).find(Boolean);
  return problem === undefined ? { value: urls.join(';') } : { problem };
}

/** The scheme of a URL in lower case, without `://`. */
export function schemeOf(url: string): string | undefined {
  return /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
}

/** Whether `scheme` is one of Redis. */
export function isRedisScheme(scheme: string | undefined): boolean {
  return (REDIS_SCHEMES as readonly (string | undefined)[]).includes(scheme);
}

function urlsOf(raw: unknown): string[] | undefined {
  const parsed = typeof raw === 'string' && raw.trim().startsWith('[') ? parseJson(raw) : raw;
  if (Array.isArray(parsed)) {
    return parsed.every((item) => typeof item === 'string') ? parsed.flatMap(split) : undefined;
  }
  return typeof parsed === 'string' ? split(parsed) : undefined;
}

function split(text: string): string[] {
  // A ';' inside a password is no separator: the next URL must follow it.
  return text
    .split(/;(?=\s*[a-z][a-z0-9+.-]*:\/\/)|;\s*$/i)
    .map((url) => url.trim())
    .filter((url) => url !== '');
}

function problemOf(url: string, scheme: string | undefined): string | undefined {
  if (scheme === undefined) {
    return `has no scheme: ${BROKER_URL_FORM}.`;
  }
  if (UNIX_SOCKET.test(scheme)) {
    return `asks for a Unix socket, which is not supported: ${BROKER_URL_FORM}.`;
  }
  if (!(BROKER_SCHEMES as readonly string[]).includes(scheme)) {
    return (
      `asks for the broker '${scheme}', which is not supported: tasks are kept in Redis, in ` +
      `PostgreSQL or in memory, so ${BROKER_URL_FORM}.`
    );
  }
  return isRedisScheme(scheme) ? redisProblem(url, scheme) : undefined;
}

/** What is wrong with a Redis URL. `undefined` when it is right. */
export function redisProblem(url: string, scheme: string): string | undefined {
  if (scheme === 'redis+cluster' || scheme === 'sentinel') {
    // Both may name several hosts, which the parser of URLs does not know.
    return hostOf(url) === '' ? 'names no host.' : undefined;
  }
  if (!URL.canParse(url)) {
    return (
      'is not a well-formed URL: write redis://user:password@host:port/database, and ' +
      'percent-encode the special characters of the password.'
    );
  }
  const path = new URL(url).pathname;
  return /^\/?\d*\/?$/.test(path)
    ? undefined
    : 'has a path that is no database number: write for example redis://host:6379/0.';
}

function hostOf(url: string): string {
  const rest = url.slice(url.indexOf('://') + 3);
  return rest.slice(rest.lastIndexOf('@') + 1).replace(/[/?#].*$/, '');
}
