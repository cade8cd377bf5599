import { LARGEST_NOTICE_BYTES, NOW, PLPGSQL } from './postgres-snippets.sql.js';

/** What is done to tasks by their id, and telling all processes. */
export const CONTROL_SQL = `
CREATE OR REPLACE FUNCTION celery_revoke(
  p_id text, p_status text, p_payload text, p_ttl bigint, p_keep bigint
) RETURNS text ${PLPGSQL} AS $$
DECLARE
  v_answer text := 'unknown';
  v_queue text;
  v_state job_state;
BEGIN
  -- Nobody finishes, retries or expires it meanwhile.
  PERFORM pg_advisory_xact_lock(hashtext('celery:result'), hashtext(p_id));
  FOR v_queue IN
    SELECT j.queue FROM celery_queues() AS q(name) JOIN job j ON j.queue = q.name AND j.id = p_id
  LOOP
    -- A fetch under way comes first: the state is read after it.
    SELECT state INTO v_state FROM job
     WHERE queue = v_queue AND id = p_id AND scheduler_id IS NULL FOR UPDATE;
    IF v_state = 'active' THEN
      v_answer := 'active';
    ELSIF v_state IN ('waiting', 'delayed', 'waiting-children') THEN
      PERFORM remove(v_queue, p_id, false);
      DELETE FROM celery_expiry WHERE queue = v_queue AND task_id = p_id;
      IF v_answer = 'unknown' THEN
        v_answer := 'ended';
      END IF;
    END IF;
  END LOOP;
  IF v_answer = 'ended' THEN
    DELETE FROM celery_revoked WHERE task_id = p_id;
  ELSE
    INSERT INTO celery_revoked AS r (task_id, expires_at_ms) VALUES (p_id, ${NOW} + p_keep)
    ON CONFLICT (task_id) DO UPDATE
      SET expires_at_ms = greatest(r.expires_at_ms, EXCLUDED.expires_at_ms);
  END IF;
  IF v_answer <> 'active' AND p_status IS NOT NULL THEN
    PERFORM celery_record(p_id, p_status, p_payload, p_ttl, NULL);
  ELSIF v_answer = 'ended' THEN
    PERFORM celery_bury(p_id, NULL);
  END IF;
  RETURN v_answer;
END;
$$;

CREATE OR REPLACE FUNCTION celery_redrive(p_queue text, p_id text) RETURNS boolean ${PLPGSQL} AS $$
BEGIN
  IF reprocess_job(p_queue, p_id, 'failed', false, true, true) <> 1 THEN
    RETURN false;
  END IF;
  UPDATE job SET added_at_ms = ${NOW}, delay_ms = 0, stalled_count = 0, stalled_marked = false
   WHERE queue = p_queue AND id = p_id;
  RETURN true;
END;
$$;

CREATE OR REPLACE FUNCTION celery_discard(p_queue text, p_id text) RETURNS boolean ${PLPGSQL} AS $$
BEGIN
  -- BullMQ does not remove what belongs to a scheduler; a dead job is of no use to one.
  UPDATE job SET scheduler_id = NULL WHERE queue = p_queue AND id = p_id AND state = 'failed';
  RETURN FOUND AND remove(p_queue, p_id, false) > 0;
END;
$$;

-- A JSON string goes as it is, or as the number of the row that holds it.
CREATE OR REPLACE FUNCTION celery_broadcast(p_channel text, p_json text)
RETURNS void ${PLPGSQL} AS $$
DECLARE
  v_id bigint;
BEGIN
  IF octet_length(p_json) <= ${LARGEST_NOTICE_BYTES} THEN
    PERFORM pg_notify(p_channel, p_json);
  ELSE
    INSERT INTO celery_broadcast (json) VALUES (p_json) RETURNING id INTO v_id;
    PERFORM pg_notify(p_channel, v_id::text);
  END IF;
END;
$$;
`;
