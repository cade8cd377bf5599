import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { Client, escapeIdentifier } from 'pg';

import { PostgresBroker } from '../../libs/task-queue/src/brokers/postgres/postgres.broker.js';
import { brokerOptions } from '../support/broker-options.js';
import { postgresUrl } from '../support/stores.js';
import { describeBrokerConformance } from './broker.conformance.js';

const base = `conformance_${randomUUID().slice(0, 8)}`;
const schemas = new Set<string>();

describeBrokerConformance('postgres', {
  open({ leaseDurationMs = 30_000, group = '' } = {}) {
    const schema = `${base}${group}`;
    schemas.add(schema);
    const options = { leaseDuration: leaseDurationMs, transportOptions: { schema } };
    return Promise.resolve(new PostgresBroker(brokerOptions(postgresUrl(), options)));
  },
  reset: () => withClient((client) => truncate(client)),
  elapse: (ms) => sleep(ms),
  now: () => Date.now(),
  openUnreachable: () =>
    new PostgresBroker(
      brokerOptions('postgresql://postgres:hush-hush@127.0.0.1:1/postgres', {
        connectionTimeout: 500,
      }),
    ),
  close: () =>
    withClient(async (client) => {
      for (const schema of schemas) {
        await client.query(`DROP SCHEMA IF EXISTS ${escapeIdentifier(schema)} CASCADE`);
      }
    }),
});

/** Empties all tables but those that record the migrations. */
async function truncate(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
      WHERE schemaname = ANY($1) AND tablename !~ 'migration|version'`,
    [[...schemas]],
  );
  if (rows.length > 0) {
    await client.query(`TRUNCATE ${rows.map(({ name }) => name).join(', ')}`);
  }
}

async function withClient(work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: postgresUrl() });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
