import { CONSUME_SQL } from './postgres-consume.sql.js';
import { CONTROL_SQL } from './postgres-control.sql.js';
import { LARGEST_NOTICE_BYTES, NOW, PLPGSQL } from './postgres-snippets.sql.js';

/**
 * From this size on a batch is stored by BullMQ's `add_jobs_bulk`, which pays for temporary
 * tables once; below it, `add_job` for each task is faster.
 */
const BULK_FROM = 40;

/** How long a tombstone is kept, milliseconds: longer than any producer goes on retrying. */
const TOMBSTONE_TTL = 60_000;

const FINAL = `('SUCCESS', 'FAILURE', 'REVOKED')`;

/** Who holds the lock of an id decides alone what becomes of its result, until it commits. */
const LOCKS = `
CREATE OR REPLACE FUNCTION celery_lock(p_ids text[]) RETURNS void ${PLPGSQL} AS $$
BEGIN
  -- In one order everywhere, so that two batches cannot wait for each other.
  PERFORM pg_advisory_xact_lock(hashtext('celery:result'), k)
    FROM (SELECT DISTINCT hashtext(i) AS k FROM unnest(p_ids) AS i ORDER BY 1) AS keys;
END;
$$;
`;

const RESULTS = `
CREATE OR REPLACE FUNCTION celery_tell(p_id text, p_payload text) RETURNS void ${PLPGSQL} AS $$
BEGIN
  PERFORM pg_notify(channel,
            CASE WHEN octet_length(p_payload) <= ${LARGEST_NOTICE_BYTES}
                 THEN p_id || ':' || p_payload ELSE p_id END)
     FROM celery_watch WHERE task_id = p_id;
END;
$$;

CREATE OR REPLACE FUNCTION celery_record(
  p_id text, p_status text, p_payload text, p_ttl bigint, p_token text
) RETURNS boolean ${PLPGSQL} AS $$
DECLARE
  v_now bigint := ${NOW};
BEGIN
  -- Watchers take the same lock: they come before this and are told, or after it and find it.
  PERFORM pg_advisory_xact_lock(hashtext('celery:result'), hashtext(p_id));
  INSERT INTO celery_result AS r (id, status, payload, expires_at_ms, token)
    VALUES (p_id, p_status, p_payload, v_now + p_ttl, p_token)
  ON CONFLICT (id) DO UPDATE
    SET status = EXCLUDED.status, payload = EXCLUDED.payload,
        expires_at_ms = EXCLUDED.expires_at_ms, token = EXCLUDED.token
    WHERE r.status NOT IN ${FINAL} OR r.expires_at_ms <= v_now;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  PERFORM celery_tell(p_id, p_payload);
  RETURN true;
END;
$$;

CREATE OR REPLACE FUNCTION celery_bury(p_id text, p_token text) RETURNS void ${PLPGSQL} AS $$
DECLARE
  v_now bigint := ${NOW};
BEGIN
  INSERT INTO celery_result AS r (id, status, payload, expires_at_ms, token)
    VALUES (p_id, '', '', v_now + ${TOMBSTONE_TTL}, p_token)
  ON CONFLICT (id) DO UPDATE
    SET status = '', payload = '', expires_at_ms = EXCLUDED.expires_at_ms, token = EXCLUDED.token
    WHERE r.status = '' OR r.expires_at_ms <= v_now;
END;
$$;

CREATE OR REPLACE FUNCTION celery_watch(p_ids text[], p_channel text)
RETURNS void ${PLPGSQL} AS $$
BEGIN
  PERFORM celery_lock(p_ids);
  INSERT INTO celery_watch (task_id, channel) SELECT DISTINCT i, p_channel FROM unnest(p_ids) AS i
  ON CONFLICT (task_id, channel) DO UPDATE SET created_at = now();
END;
$$;
`;

/** `p_batches`: tasks by queue, `{"<queue>": [{id, name, data, opts, delay, ...}]}`. */
const PUBLISH = `
CREATE OR REPLACE FUNCTION celery_publish(
  p_batches jsonb, p_retrying boolean, p_new_queues text[]
) RETURNS void ${PLPGSQL} AS $$
DECLARE
  v_queue text;
  v_entries jsonb;
  v_now bigint := ${NOW};
BEGIN
  IF cardinality(p_new_queues) > 0 THEN
    INSERT INTO celery_queue (name) SELECT q FROM unnest(p_new_queues) AS q ORDER BY 1
    ON CONFLICT (name) DO NOTHING;
  END IF;
  IF p_retrying THEN
    -- A task that is just being finished is gone or recorded once its lock is free.
    PERFORM celery_lock(ARRAY(
      SELECT e ->> 'id' FROM jsonb_each(p_batches) AS b, jsonb_array_elements(b.value) AS e));
  END IF;
  FOR v_queue, v_entries IN SELECT key, value FROM jsonb_each(p_batches) LOOP
    IF p_retrying THEN
      SELECT coalesce(jsonb_agg(t.e ORDER BY t.ord), '[]'::jsonb) INTO v_entries
        FROM jsonb_array_elements(v_entries) WITH ORDINALITY AS t(e, ord)
       WHERE NOT EXISTS (
         SELECT 1 FROM celery_result r
          WHERE r.id = t.e ->> 'id' AND (r.expires_at_ms IS NULL OR r.expires_at_ms > v_now));
    END IF;
    IF jsonb_array_length(v_entries) >= ${BULK_FROM} THEN
      PERFORM add_jobs_bulk(v_queue, v_entries);
    ELSE
      PERFORM add_job(v_queue, e ->> 'id', e ->> 'name', (e ->> 'data')::jsonb, e -> 'opts',
                      (e ->> 'priority')::integer, (e ->> 'delay')::bigint,
                      (e ->> 'timestamp')::bigint, 1, NULL, NULL, NULL, NULL, NULL, false)
         FROM jsonb_array_elements(v_entries) AS e;
    END IF;
    -- Read back from the jobs: an id that was there already keeps the expiry it had.
    INSERT INTO celery_expiry (queue, task_id, expires_at_ms)
      SELECT j.queue, j.id, (j.opts ->> 'celeryExpiresAt')::bigint
        FROM jsonb_array_elements(v_entries) AS e
        JOIN job j ON j.queue = v_queue AND j.id = e ->> 'id'
       WHERE e -> 'opts' ? 'celeryExpiresAt' AND j.opts ? 'celeryExpiresAt'
         AND j.state IN ('waiting', 'delayed')
    ON CONFLICT (queue, task_id) DO NOTHING;
  END LOOP;
END;
$$;
`;

const UPKEEP = `
CREATE OR REPLACE FUNCTION celery_expire(p_items jsonb) RETURNS SETOF text ${PLPGSQL} AS $$
DECLARE
  v_item record;
BEGIN
  FOR v_item IN
    SELECT * FROM jsonb_to_recordset(p_items)
      AS x(queue text, id text, status text, payload text, ttl bigint)
     ORDER BY hashtext(x.id)
  LOOP
    PERFORM pg_advisory_xact_lock(hashtext('celery:result'), hashtext(v_item.id));
    PERFORM 1 FROM job
      WHERE queue = v_item.queue AND id = v_item.id AND state IN ('waiting', 'delayed')
        FOR UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    DELETE FROM celery_expiry
      WHERE queue = v_item.queue AND task_id = v_item.id AND expires_at_ms <= ${NOW};
    CONTINUE WHEN NOT FOUND;
    PERFORM remove(v_item.queue, v_item.id, false);
    DELETE FROM celery_revoked WHERE task_id = v_item.id;
    IF v_item.status IS NOT NULL THEN
      PERFORM celery_record(v_item.id, v_item.status, v_item.payload, v_item.ttl, NULL);
    ELSE
      PERFORM celery_bury(v_item.id, NULL);
    END IF;
    RETURN NEXT v_item.id;
  END LOOP;
END;
$$;

CREATE OR REPLACE FUNCTION celery_sweep(p_limit integer) RETURNS integer ${PLPGSQL} AS $$
DECLARE
  v_now bigint := ${NOW};
  v_count integer;
  v_most integer;
BEGIN
  DELETE FROM celery_result WHERE id IN (
    SELECT id FROM celery_result WHERE expires_at_ms <= v_now
     LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_most = ROW_COUNT;
  DELETE FROM celery_group WHERE id IN (
    SELECT id FROM celery_group WHERE expires_at_ms <= v_now
     LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_count = ROW_COUNT;
  v_most := greatest(v_most, v_count);
  DELETE FROM celery_revoked WHERE task_id IN (
    SELECT task_id FROM celery_revoked WHERE expires_at_ms <= v_now
     LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_count = ROW_COUNT;
  v_most := greatest(v_most, v_count);
  -- Who listens has read it by then, or will never do so.
  DELETE FROM celery_broadcast WHERE id IN (
    SELECT id FROM celery_broadcast WHERE created_at < now() - interval '1 minute'
     LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_count = ROW_COUNT;
  v_most := greatest(v_most, v_count);
  -- Of tasks that were removed by somebody else.
  DELETE FROM celery_expiry WHERE (queue, task_id) IN (
    SELECT e.queue, e.task_id FROM celery_expiry e
     WHERE e.expires_at_ms <= v_now AND NOT EXISTS (
       SELECT 1 FROM job j WHERE j.queue = e.queue AND j.id = e.task_id
          AND j.state IN ('waiting', 'delayed', 'active'))
     LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_count = ROW_COUNT;
  v_most := greatest(v_most, v_count);
  -- Of processes that died while they waited for a result.
  DELETE FROM celery_watch WHERE (task_id, channel) IN (
    SELECT task_id, channel FROM celery_watch WHERE created_at < now() - interval '7 days'
     LIMIT p_limit FOR UPDATE SKIP LOCKED);
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN greatest(v_most, v_count);
END;
$$;

CREATE OR REPLACE FUNCTION celery_purge(p_queue text) RETURNS integer ${PLPGSQL} AS $$
DECLARE
  v_count integer;
BEGIN
  SELECT count(*) INTO v_count FROM (
    SELECT 1 FROM job
     WHERE queue = p_queue AND state IN ('waiting', 'delayed') AND scheduler_id IS NULL
       FOR UPDATE) AS locked;
  DELETE FROM celery_revoked r USING job j
   WHERE j.queue = p_queue AND j.id = r.task_id
     AND j.state IN ('waiting', 'delayed') AND j.scheduler_id IS NULL;
  PERFORM drain(p_queue, true);
  DELETE FROM celery_expiry e WHERE e.queue = p_queue AND NOT EXISTS (
    SELECT 1 FROM job j WHERE j.queue = e.queue AND j.id = e.task_id);
  RETURN v_count;
END;
$$;

-- With the queues of other BullMQ producers, found by skipping through the key of the jobs.
CREATE OR REPLACE FUNCTION celery_queues() RETURNS SETOF text ${PLPGSQL} AS $$
BEGIN
  RETURN QUERY
    WITH RECURSIVE used AS (
      (SELECT j.queue FROM job j ORDER BY j.queue LIMIT 1)
      UNION ALL
      SELECT (SELECT j.queue FROM job j WHERE j.queue > u.queue ORDER BY j.queue LIMIT 1)
        FROM used u WHERE u.queue IS NOT NULL
    )
    SELECT name FROM celery_queue
    UNION
    SELECT u.queue FROM used u WHERE u.queue IS NOT NULL;
END;
$$;
`;

/**
 * The functions that this driver calls, in terms of BullMQ's. Each is one transaction and one
 * round trip; together they may be replaced at any time.
 */
export const FUNCTIONS_SQL = [LOCKS, RESULTS, PUBLISH, CONSUME_SQL, UPKEEP, CONTROL_SQL].join('\n');
