import { describe, expect, it } from '@jest/globals';

import { ImproperlyConfigured, OperationalError } from '../../errors/task-queue.errors.js';
import { isDataRefused, toTaskQueueError } from './postgres-error.mapper.js';

const target = {
  description: 'postgresql://db:5432/app',
  user: 'app',
  database: 'app',
  schema: 'bullmq',
  connectTimeout: 2000,
};

function driverError(code: string | undefined, message = 'the reason'): Error {
  return Object.assign(new Error(message), { code });
}

describe('toTaskQueueError', () => {
  it.each([
    ['28P01', 'Correct them in broker_url'],
    ['28000', 'Correct them in broker_url'],
    ['3D000', "no database 'app'"],
    ['42501', 'Grant the user'],
    ['53300', 'pool_size'],
    ['57014', 'socket_timeout'],
    ['25006', 'primary server'],
    ['22P02', 'refused the command: the reason'],
    ['P0001', 'refused the command: the reason'],
    ['57P01', 'cannot be reached (the reason)'],
    ['08006', 'cannot be reached (the reason)'],
    ['ECONNREFUSED', 'cannot be reached (the reason)'],
    ['EPIPE', 'cannot be reached (the reason)'],
    [undefined, 'cannot be reached (the reason)'],
  ])('explains %s', (code, text) => {
    const cause = driverError(code);
    const error = toTaskQueueError(cause, target, 4000);
    expect(error).toBeInstanceOf(OperationalError);
    expect(error.message).toContain(text);
    expect(error.message).toContain(target.description);
    expect(error.cause).toBe(cause);
  });

  it.each([
    ['Query read timeout', '4 s'],
    ['timeout exceeded when trying to connect', '2 s'],
    ['Connection terminated due to connection timeout', '2 s'],
  ])('says how long was waited after: %s', (message, time) => {
    const cause = driverError(undefined, message);
    const error = toTaskQueueError(cause, target, 4000);
    expect(error.message).toContain(`did not answer within ${time}`);
    expect(error.cause).toBe(cause);
  });

  it('knows a password that is missing altogether', () => {
    const cause = driverError(undefined, 'SASL: client password must be a string');
    expect(toTaskQueueError(cause, target, 4000).message).toContain('Correct them in broker_url');
  });

  it('says how to make tables that are missing', () => {
    const error = toTaskQueueError(driverError('42P01'), target, 4000);
    expect(error).toBeInstanceOf(ImproperlyConfigured);
    expect(error.message).toContain('broker_transport_options.migrate');
  });

  it('finds the text of an error that is made of others', () => {
    const cause = Object.assign(new AggregateError([driverError('ECONNREFUSED', 'refused')]), {
      code: 'ECONNREFUSED',
    });
    expect(toTaskQueueError(cause, target, 4000).message).toContain('(refused)');
  });
});

describe('isDataRefused', () => {
  it('is about what was given, not about the connection', () => {
    expect(isDataRefused(toTaskQueueError(driverError('22P02'), target, 4000))).toBe(true);
    expect(isDataRefused(toTaskQueueError(driverError('23505'), target, 4000))).toBe(true);
    expect(isDataRefused(toTaskQueueError(driverError('57P01'), target, 4000))).toBe(false);
    expect(isDataRefused(undefined)).toBe(false);
  });
});
