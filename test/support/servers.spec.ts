import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Client } from 'pg';

import { PostgresServer } from './postgres-server.js';
import { RedisServer } from './redis-server.js';
import { describeWithRedis, postgresUrl, redisUrl } from './stores.js';

async function query(url: string, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(sql);
    return rows[0];
  } finally {
    await client.end();
  }
}

async function redisCall(url: string, ...command: [string, ...string[]]): Promise<unknown> {
  const redis = new Redis(url.replace('redis+cluster:', 'redis:'), {
    retryStrategy: () => null,
    lazyConnect: true,
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return await redis.call(...command);
  } finally {
    redis.disconnect();
  }
}

describe('the PostgreSQL of the tests', () => {
  it('is a PostgreSQL 18', async () => {
    expect(await query(postgresUrl(), 'SHOW server_version')).toEqual({
      server_version: expect.stringMatching(/^18/),
    });
  });

  it('comes privately, and keeps its data and port over a stop and a kill', async () => {
    const server = await PostgresServer.start();
    try {
      await query(server.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
      await server.stop();
      await expect(query(server.url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
      await server.start();
      await server.kill();
      await expect(query(server.url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
      await server.start();
      expect(await query(server.url, 'SELECT answer FROM kept')).toEqual({ answer: 42 });
    } finally {
      await server.close();
    }
    await expect(query(server.url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
  }, 60_000);
});

describeWithRedis('the Redis of the tests', () => {
  it('answers', async () => {
    expect(await redisCall(redisUrl(), 'PING')).toBe('PONG');
  });

  it('comes privately, and keeps its data over a kill with appendonly', async () => {
    const server = await RedisServer.start({ appendonly: true });
    try {
      await redisCall(server.url, 'SET', 'kept', '42');
      await server.kill();
      await expect(redisCall(server.url, 'PING')).rejects.toThrow('closed');
      await server.start();
      expect(await redisCall(server.url, 'GET', 'kept')).toBe('42');
      await server.stop();
      await server.start();
      expect(await redisCall(server.url, 'GET', 'kept')).toBe('42');
    } finally {
      await server.close();
    }
  }, 30_000);

  it('asks for a password', async () => {
    const server = await RedisServer.start({ password: 'p@ss' });
    try {
      expect(await redisCall(server.url, 'PING')).toBe('PONG');
      await expect(redisCall(`redis://127.0.0.1:${server.port}`, 'GET', 'a')).rejects.toThrow(
        /NOAUTH|closed/,
      );
    } finally {
      await server.close();
    }
  }, 30_000);

  it('speaks TLS with a certificate that can be verified', async () => {
    const server = await RedisServer.start({ tls: true });
    const redis = new Redis(server.url, { tls: { ca: server.certificate! }, lazyConnect: true });
    try {
      await redis.connect();
      expect(await redis.ping()).toBe('PONG');
    } finally {
      redis.disconnect();
      await server.close();
    }
  }, 30_000);

  it('forms a cluster of one node', async () => {
    const server = await RedisServer.start({ cluster: true });
    try {
      expect(server.url).toMatch(/^redis\+cluster:/);
      expect(await redisCall(server.url, 'CLUSTER', 'INFO')).toContain('cluster_state:ok');
    } finally {
      await server.close();
    }
  }, 30_000);
});
