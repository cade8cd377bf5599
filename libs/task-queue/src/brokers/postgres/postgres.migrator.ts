import { assertSchemaCompatibility, runMigrations } from 'bullmq';

import { missingTables } from './postgres-error.mapper.js';
import { FUNCTIONS_SQL } from './postgres-functions.sql.js';
import { CONTROL_TABLES_SQL, TABLES_SQL } from './postgres-tables.sql.js';
import type { PostgresEndpoint } from './postgres.endpoint.js';

/** One step of the schema; a step that was released is never changed. */
interface Migration {
  readonly version: number;
  readonly sql: string;
}

/** The functions are made anew after the last step: to change them add a step, even an empty one. */
const MIGRATIONS: readonly Migration[] = [
  { version: 1, sql: TABLES_SQL },
  { version: 2, sql: CONTROL_TABLES_SQL },
];
const LATEST = Math.max(...MIGRATIONS.map(({ version }) => version));

/** The part of a `pg` client that is needed here: one session, not a pool. */
export interface MigrationSession {
  query(text: string, values?: readonly unknown[]): Promise<{ rows: any[] }>;
}

/**
 * Brings BullMQ's tables and ours up to date. Any number of processes may do so at the same time.
 *
 * @throws ImproperlyConfigured when `migrate` is off and the tables are missing or old.
 */
export async function migrate(
  session: MigrationSession,
  endpoint: PostgresEndpoint,
): Promise<void> {
  if (!endpoint.migrate) {
    await assertSchemaCompatibility(session, endpoint.schema);
    if ((await currentVersion(session, endpoint.schema)) < LATEST) {
      throw missingTables(endpoint);
    }
    return;
  }
  await runMigrations(session, endpoint.schema);
  if ((await versionIfAny(session, endpoint.schema)) < LATEST) {
    await runOwnMigrations(session, endpoint.schema);
  }
}

async function runOwnMigrations(session: MigrationSession, schema: string): Promise<void> {
  await session.query('BEGIN');
  try {
    // A process that comes second waits here, and then finds nothing left to do.
    await session.query('SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))', [
      'celery:migration',
      schema,
    ]);
    await session.query(`SET LOCAL search_path TO "${schema}"`);
    await session.query(
      'CREATE TABLE IF NOT EXISTS celery_migration (' +
        'version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    );
    const current = await currentVersion(session, schema);
    const steps = MIGRATIONS.filter((step) => step.version > current);
    for (const { version, sql } of steps) {
      await session.query(sql);
      await session.query('INSERT INTO celery_migration (version) VALUES ($1)', [version]);
    }
    if (steps.length > 0) {
      await session.query(FUNCTIONS_SQL);
    }
    await session.query('COMMIT');
  } catch (error) {
    await session.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

async function currentVersion(session: MigrationSession, schema: string): Promise<number> {
  const { rows } = await session.query(
    `SELECT coalesce(max(version), 0)::int AS version FROM "${schema}".celery_migration`,
  );
  return Number(rows[0].version);
}

async function versionIfAny(session: MigrationSession, schema: string): Promise<number> {
  const { rows } = await session.query('SELECT to_regclass($1) IS NOT NULL AS found', [
    `"${schema}".celery_migration`,
  ]);
  return rows[0].found ? currentVersion(session, schema) : 0;
}
