import type { Reading } from '../setting-definition.interface.js';
import { isRedisScheme, redisProblem, schemeOf } from './broker-url.reader.js';

const USE = "use redis://host:6379/1, 'cache', or leave it unset (results stay with the broker)";

/**
 * Decides where results go: what may be written for `result_backend`, and what it becomes.
 *
 * | written | becomes |
 * |---|---|
 * | nothing, `null` | `null`: the broker's own store |
 * | `redis://`, `rediss://`, `valkey://`, `sentinel://`, `redis+cluster://` | the URL |
 * | `cache`, `django-cache` | `'cache'`: the cache of the application |
 * | `database`, `django-db`, `db+...` | refused: results in SQL are not part of this version |
 * | anything else | refused |
 */
export function decideResultBackend(raw: unknown): Reading {
  const text = typeof raw === 'string' ? raw.trim() : '';
  const name = text.toLowerCase();
  if (name === 'cache' || name === 'django-cache') {
    return { value: 'cache' };
  }
  if (isDatabase(name)) {
    return {
      problem:
        'asks for the SQL result backend (results in your database), which is not part of ' +
        `this version: ${USE}.`,
    };
  }
  const scheme = schemeOf(text);
  if (scheme !== undefined && isRedisScheme(scheme)) {
    const problem = redisProblem(text, scheme);
    return problem === undefined ? { value: text } : { problem };
  }
  return { problem: `${reasonOf(scheme ?? name)}: ${USE}.` };
}

/** `django-db`, `database`, and SQLAlchemy's URLs. */
function isDatabase(name: string): boolean {
  return name === 'database' || name === 'django-db' || name === 'db' || name.startsWith('db+');
}

function reasonOf(scheme: string): string {
  if (scheme === 'rpc' || scheme === 'amqp') {
    return 'asks for results as AMQP messages, which is not supported';
  }
  if (scheme === 'disabled') {
    return (
      'turns results off, which is not supported here (set task_ignore_result, or ignoreResult ' +
      'on the task, instead)'
    );
  }
  if (scheme === 'postgres' || scheme === 'postgresql' || scheme === 'memory') {
    return (
      'names a store that keeps results only when it is the broker too (then result_backend ' +
      'stays unset)'
    );
  }
  return 'is not a result backend that is supported';
}
