import { registerAs } from '@nestjs/config';

/**
 * The settings that the web application and the worker of the sample share: what Django's
 * `settings.py` is to Celery. A variable `CELERY_<NAME>` of the environment wins over each; the
 * one that has to be set there is `CELERY_BROKER_URL`.
 */
export const celerySettings = registerAs('CELERY', () => ({
  /** Shows which tasks run: PENDING, STARTED, then SUCCESS or FAILURE. */
  TASK_TRACK_STARTED: true,
  TASK_IGNORE_RESULT: false,
  /** Keeps name, arguments, worker, queue and retries with each result. */
  RESULT_EXTENDED: true,
  TIMEZONE: 'Asia/Shanghai',
  /** Bytes. A file of 1 MB that is all quotes or control characters is encoded into 7 MB. */
  TASK_MAX_PAYLOAD_BYTES: 8 * 1024 * 1024,
}));
