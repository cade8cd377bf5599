/**
 * The tables of this library, beside BullMQ's in the same schema. BullMQ's own are never altered.
 *
 * - `celery_result`: results. A row with the status '' is a tombstone: it says that the task ran
 *   although no result is kept, for producers that publish again after a broken connection.
 *   `token` is the token of the lease under which the row was written.
 * - `celery_group`: group results.
 * - `celery_watch`: which process waits for which result, by the channel it listens on. Unlogged:
 *   its rows are worth as much as the connection they belong to, and are written anew with it.
 * - `celery_expiry`: when tasks that have not ended expire.
 * - `celery_queue`: the queues that were ever published into.
 */
export const TABLES_SQL = `
CREATE TABLE celery_result (
  id            text PRIMARY KEY,
  status        text NOT NULL,
  payload       text NOT NULL,
  expires_at_ms bigint,
  token         text
);
CREATE INDEX celery_result_expiry_idx ON celery_result (expires_at_ms)
  WHERE expires_at_ms IS NOT NULL;

CREATE TABLE celery_group (
  id            text PRIMARY KEY,
  payload       text NOT NULL,
  expires_at_ms bigint
);
CREATE INDEX celery_group_expiry_idx ON celery_group (expires_at_ms)
  WHERE expires_at_ms IS NOT NULL;

CREATE UNLOGGED TABLE celery_watch (
  task_id    text NOT NULL,
  channel    text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (task_id, channel)
);
CREATE INDEX celery_watch_channel_idx ON celery_watch (channel);

CREATE TABLE celery_expiry (
  queue         text NOT NULL,
  task_id       text NOT NULL,
  expires_at_ms bigint NOT NULL,
  PRIMARY KEY (queue, task_id)
);
CREATE INDEX celery_expiry_due_idx ON celery_expiry (expires_at_ms);

CREATE TABLE celery_queue (
  name text PRIMARY KEY
);
`;

/**
 * - `celery_revoked`: ids that were revoked while a worker held them or before they were published.
 * - `celery_broadcast`: broadcasts that do not fit into a notification, for a short while. Unlogged:
 *   who was not listening does not hear them anyway.
 *
 * Functions whose columns change have to be dropped before they are made anew.
 */
export const CONTROL_TABLES_SQL = `
CREATE TABLE celery_revoked (
  task_id       text PRIMARY KEY,
  expires_at_ms bigint NOT NULL
);
CREATE INDEX celery_revoked_expiry_idx ON celery_revoked (expires_at_ms);

CREATE UNLOGGED TABLE celery_broadcast (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  json       text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

DROP FUNCTION IF EXISTS celery_fetch;
DROP FUNCTION IF EXISTS celery_finish_fetch;
`;
