import { describe, expect, it } from '@jest/globals';

import { ImproperlyConfigured } from '../../errors/task-queue.errors.js';
import { readPostgresEndpoint } from './postgres.endpoint.js';

function read(url: string, transportOptions: Record<string, unknown> = {}, ssl?: unknown) {
  return readPostgresEndpoint({ url, transportOptions, ssl, connectionTimeout: 4000 });
}

describe('readPostgresEndpoint', () => {
  it('describes the database without the user and the password', () => {
    expect(read('postgresql://user:hush%40@db.example:5433/app').description).toBe(
      'postgresql://db.example:5433/app',
    );
    expect(read('postgres://localhost').description).toBe('postgresql://localhost:5432');
    expect(read('postgresql:///app?host=/var/run/pg').description).toBe(
      'postgresql:///var/run/pg:5432/app',
    );
  });

  it('has defaults for every option', () => {
    const { client, ...rest } = read('postgresql://user:hush@host/app');
    expect(rest).toMatchObject({
      schema: 'bullmq',
      migrate: true,
      user: 'user',
      database: 'app',
      connectTimeout: 4000,
      statementTimeout: 30_000,
    });
    expect(client).toMatchObject({ max: 10, connectionTimeoutMillis: 4000 });
    expect(client).not.toHaveProperty('ssl');
  });

  it('takes the transport options and TLS', () => {
    const options = {
      schema: 'jobs',
      pool_size: 3,
      migrate: false,
      socket_timeout: 1.5,
      socket_connect_timeout: 2,
    };
    const endpoint = read('postgresql://host/app', options, { ca: 'pem' });
    expect(endpoint).toMatchObject({
      schema: 'jobs',
      migrate: false,
      connectTimeout: 2000,
      statementTimeout: 1500,
      client: { max: 3, connectionTimeoutMillis: 2000, statement_timeout: 1500 },
    });
    expect(endpoint.client['ssl']).toEqual({ ca: 'pem' });
    expect(read('postgresql://host/app', { socket_timeout: null }).statementTimeout).toBe(
      2 ** 31 - 1,
    );
  });

  it('keeps session options of the URL beside its own', () => {
    const { client } = read(
      'postgresql://host/app?options=-c%20synchronous_commit%3Doff&sslmode=disable',
    );
    expect(client['options']).toMatch(/^-c synchronous_commit=off -c default_transaction/);
    expect(client.connectionString).toBe('postgresql://host/app?sslmode=disable');
  });

  it.each([
    ['postgresql://user:hush@ho st/app', {}],
    ['postgresql://user:hush%zz@host/app', {}],
    ['mysql://user:hush@host/app', {}],
    ['user:hush', {}],
    ['postgresql://user:hush@host/app', { schema: 'a"b' }],
    ['postgresql://user:hush@host/app', { schema: 7 }],
    ['postgresql://user:hush@host/app', { pool_size: 0 }],
    ['postgresql://user:hush@host/app', { socket_timeout: -1 }],
  ])('refuses %s with %j, without the password', (url, options) => {
    let thrown: unknown;
    try {
      read(url, options);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ImproperlyConfigured);
    expect((thrown as Error).message).not.toContain('hush');
    expect((thrown as Error).cause).toBeUndefined();
  });
});
