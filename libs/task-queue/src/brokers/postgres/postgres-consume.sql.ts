import { NOW, PLPGSQL } from './postgres-snippets.sql.js';

/** All times are the server's, so that the clocks of the workers need not agree. */
export const CONSUME_SQL = `
CREATE OR REPLACE FUNCTION celery_fetch(p_queue text, p_token text, p_lease bigint)
RETURNS TABLE (
  o_id text, o_name text, o_data text, o_added bigint, o_stalled integer, o_attempts integer,
  o_due bigint, o_now bigint, o_revoked boolean
) ${PLPGSQL} AS $$
DECLARE
  v_job job;
  v_limited bigint;
  v_id text;
  v_top text;
  v_priority integer;
BEGIN
  o_now := ${NOW};
  -- As move_to_active does, which leaves them where they were published: in the order of their
  -- times, behind the tasks that wait.
  FOR v_id IN
    SELECT id FROM job
     WHERE queue = p_queue AND state = 'delayed' AND process_at_ms <= o_now
     ORDER BY process_at_ms, seq
       FOR UPDATE SKIP LOCKED
  LOOP
    UPDATE job SET state = 'waiting', delay_ms = 0, seq = nextval('job_seq')
     WHERE queue = p_queue AND id = v_id;
    PERFORM publish_event(p_queue, 'waiting',
                          jsonb_build_object('jobId', v_id, 'prev', 'delayed'));
  END LOOP;
  -- BullMQ takes jobs without a priority before all others, which here are the lowest. So the
  -- first of the others goes to the front for this one claim.
  SELECT id, priority INTO v_top, v_priority FROM job
   WHERE queue = p_queue AND state = 'waiting' AND priority > 0
   ORDER BY priority, seq
   LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF v_top IS NOT NULL THEN
    UPDATE job SET priority = -1 WHERE queue = p_queue AND id = v_top;
  END IF;
  SELECT * INTO v_job
    FROM move_to_active(p_queue, p_token, p_lease, o_now, NULL, NULL, NULL);
  IF v_top IS NOT NULL THEN
    UPDATE job SET priority = v_priority WHERE queue = p_queue AND id = v_top;
  END IF;
  IF v_job.id IS NOT NULL THEN
    o_id := v_job.id;
    o_name := v_job.name;
    o_data := v_job.data::text;
    o_added := v_job.added_at_ms;
    o_stalled := v_job.stalled_count;
    o_attempts := v_job.attempts_made;
    o_revoked := EXISTS (
      SELECT 1 FROM celery_revoked WHERE task_id = v_job.id AND expires_at_ms > o_now);
  ELSE
    SELECT rate_limit_ttl, next_delay INTO v_limited, o_due
      FROM next_signal(p_queue, NULL, o_now);
    IF v_limited > 0 THEN
      o_due := o_now + v_limited;
    END IF;
  END IF;
  RETURN NEXT;
END;
$$;

CREATE OR REPLACE FUNCTION celery_finish(
  p_queue text, p_id text, p_token text, p_dead text,
  p_status text, p_payload text, p_ttl bigint, p_announce text,
  p_batches jsonb, p_new_queues text[]
) RETURNS void ${PLPGSQL} AS $$
DECLARE
  v_now bigint := ${NOW};
BEGIN
  -- Before the job goes: a producer that publishes it again must not slip in between.
  PERFORM pg_advisory_xact_lock(hashtext('celery:result'), hashtext(p_id));
  IF p_dead IS NULL THEN
    PERFORM move_to_completed(p_queue, p_id, p_token, 'null'::jsonb, v_now, true, NULL, NULL);
  ELSE
    PERFORM move_to_failed(p_queue, p_id, p_token, p_dead, NULL, v_now, false, NULL, NULL);
  END IF;
  DELETE FROM celery_expiry WHERE queue = p_queue AND task_id = p_id;
  DELETE FROM celery_revoked WHERE task_id = p_id;
  IF p_status IS NOT NULL THEN
    PERFORM celery_record(p_id, p_status, p_payload, p_ttl, p_token);
  ELSE
    PERFORM celery_bury(p_id, p_token);
  END IF;
  IF p_announce IS NOT NULL THEN
    PERFORM celery_tell(p_id, p_announce);
  END IF;
  IF p_batches IS NOT NULL THEN
    PERFORM celery_publish(p_batches, false, p_new_queues);
  END IF;
END;
$$;

CREATE OR REPLACE FUNCTION celery_finish_fetch(
  p_queue text, p_id text, p_token text, p_dead text,
  p_status text, p_payload text, p_ttl bigint, p_announce text,
  p_batches jsonb, p_new_queues text[], p_next_token text, p_lease bigint
) RETURNS TABLE (
  o_id text, o_name text, o_data text, o_added bigint, o_stalled integer, o_attempts integer,
  o_due bigint, o_now bigint, o_revoked boolean
) ${PLPGSQL} AS $$
BEGIN
  PERFORM celery_finish(p_queue, p_id, p_token, p_dead, p_status, p_payload, p_ttl, p_announce,
                        p_batches, p_new_queues);
  RETURN QUERY SELECT * FROM celery_fetch(p_queue, p_next_token, p_lease);
END;
$$;

-- A mark of a revoke stays: it is for the next delivery.
CREATE OR REPLACE FUNCTION celery_retry(
  p_queue text, p_id text, p_token text, p_batches jsonb, p_new_queues text[],
  p_status text, p_payload text, p_ttl bigint, p_announce text
) RETURNS void ${PLPGSQL} AS $$
DECLARE
  v_queue text;
  v_task jsonb;
  v_due bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('celery:result'), hashtext(p_id));
  SELECT key, value -> 0 INTO v_queue, v_task FROM jsonb_each(p_batches);
  IF (v_task ->> 'delay')::bigint > 0 THEN
    v_due := (v_task ->> 'timestamp')::bigint + (v_task ->> 'delay')::bigint;
  END IF;
  UPDATE job
     SET state = CASE WHEN v_due IS NULL THEN 'waiting' ELSE 'delayed' END::job_state,
         seq = nextval('job_seq'), name = v_task ->> 'name', data = (v_task ->> 'data')::jsonb,
         opts = v_task -> 'opts', priority = (v_task ->> 'priority')::integer,
         delay_ms = (v_task ->> 'delay')::bigint, process_at_ms = v_due,
         added_at_ms = (v_task ->> 'timestamp')::bigint, attempts_made = 0, stalled_count = 0,
         stalled_marked = false, lock_token = NULL, locked_until_ms = NULL
   WHERE queue = p_queue AND id = p_id AND state = 'active' AND lock_token = p_token;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'celery: lease on % lost', p_id USING ERRCODE = 'BM001', DETAIL = '-6';
  END IF;
  DELETE FROM celery_expiry WHERE queue = p_queue AND task_id = p_id;
  IF v_queue <> p_queue THEN
    PERFORM remove(p_queue, p_id, false);
    PERFORM celery_publish(p_batches, false, p_new_queues);
  ELSE
    IF v_task -> 'opts' ? 'celeryExpiresAt' THEN
      INSERT INTO celery_expiry (queue, task_id, expires_at_ms)
        VALUES (p_queue, p_id, (v_task -> 'opts' ->> 'celeryExpiresAt')::bigint);
    END IF;
    PERFORM CASE WHEN v_due IS NULL
      THEN publish_event(p_queue, 'waiting',
                         jsonb_build_object('jobId', p_id, 'prev', 'active'))
      ELSE publish_event(p_queue, 'delayed', jsonb_build_object('jobId', p_id, 'delay', v_due))
      END;
    PERFORM pg_notify('bullmq_jobs', p_queue);
  END IF;
  IF p_status IS NOT NULL THEN
    PERFORM celery_record(p_id, p_status, p_payload, p_ttl, p_token);
  ELSE
    PERFORM celery_bury(p_id, p_token);
  END IF;
  IF p_announce IS NOT NULL THEN
    PERFORM celery_tell(p_id, p_announce);
  END IF;
END;
$$;

-- BullMQ's move_active_to_wait puts a task at the end of its queue and ignores a lost lease.
CREATE OR REPLACE FUNCTION celery_release(p_queue text, p_id text, p_token text)
RETURNS void ${PLPGSQL} AS $$
BEGIN
  UPDATE job
     SET state = 'waiting', seq = -nextval('job_seq'), lock_token = NULL, locked_until_ms = NULL,
         stalled_marked = false
   WHERE queue = p_queue AND id = p_id AND state = 'active' AND lock_token = p_token;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'celery: lease on % lost', p_id USING ERRCODE = 'BM001', DETAIL = '-6';
  END IF;
  PERFORM publish_event(p_queue, 'waiting', jsonb_build_object('jobId', p_id, 'prev', 'active'));
  PERFORM pg_notify('bullmq_jobs', p_queue);
END;
$$;

CREATE OR REPLACE FUNCTION celery_postpone(
  p_queue text, p_id text, p_token text, p_delay bigint
) RETURNS void ${PLPGSQL} AS $$
BEGIN
  PERFORM move_to_delayed(p_queue, p_id, p_token, ${NOW} + p_delay, p_delay, false, NULL, NULL);
END;
$$;

-- BullMQ's move_stalled_jobs_to_wait needs two passes, throttles them, and puts tasks at the end.
CREATE OR REPLACE FUNCTION celery_reclaim(p_queue text) RETURNS SETOF text ${PLPGSQL} AS $$
DECLARE
  v_id text;
  v_ids text[] := '{}';
BEGIN
  -- The last to be put in front is the first of the queue: the oldest.
  FOR v_id IN
    SELECT id FROM job
     WHERE queue = p_queue AND state = 'active' AND locked_until_ms <= ${NOW}
     ORDER BY seq DESC
       FOR UPDATE SKIP LOCKED
  LOOP
    UPDATE job
       SET state = 'waiting', seq = -nextval('job_seq'), lock_token = NULL,
           locked_until_ms = NULL, stalled_marked = false, stalled_count = stalled_count + 1
     WHERE queue = p_queue AND id = v_id;
    PERFORM publish_event(p_queue, 'stalled', jsonb_build_object('jobId', v_id));
    v_ids := v_id || v_ids;
  END LOOP;
  IF cardinality(v_ids) > 0 THEN
    PERFORM pg_notify('bullmq_jobs', p_queue);
  END IF;
  RETURN QUERY SELECT unnest(v_ids);
END;
$$;

CREATE OR REPLACE FUNCTION celery_work(p_queues text[])
RETURNS TABLE (o_queue text, o_ready boolean, o_due bigint, o_now bigint) ${PLPGSQL} AS $$
DECLARE
  v_limited bigint;
BEGIN
  o_now := ${NOW};
  FOREACH o_queue IN ARRAY p_queues LOOP
    SELECT rate_limit_ttl, next_delay INTO v_limited, o_due
      FROM next_signal(o_queue, NULL, o_now);
    o_ready := o_due <= o_now
      OR EXISTS (SELECT 1 FROM job WHERE queue = o_queue AND state = 'waiting');
    IF v_limited > 0 THEN
      o_ready := false;
      o_due := o_now + v_limited;
    END IF;
    IF EXISTS (SELECT 1 FROM meta WHERE queue = o_queue AND field = 'paused' AND value = '1')
       OR coalesce(
         (SELECT value::integer FROM meta WHERE queue = o_queue AND field = 'concurrency')
           <= (SELECT count(*) FROM job WHERE queue = o_queue AND state = 'active'), false) THEN
      -- Nothing can be fetched; what ends this state sends a notification of its own.
      o_ready := false;
      o_due := NULL;
    END IF;
    RETURN NEXT;
  END LOOP;
END;
$$;
`;
