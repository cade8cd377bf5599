import { Redis } from 'ioredis';
import { Pool } from 'pg';

/** A client that reports what breaks. @param {string} url */
export function connectRedis(url) {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  redis.on('error', (error) => console.error(`Redis: ${error.message}`));
  return redis;
}

/** @param {string} url @param {number} max - Connections. */
export function connectPostgres(url, max) {
  const pool = new Pool({ connectionString: url, max });
  pool.on('error', (error) => console.error(`PostgreSQL: ${error.message}`));
  return pool;
}
