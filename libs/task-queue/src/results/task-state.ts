/** The states that Celery names. A task may set states of its own besides these. */
export type TaskState =
  | 'PENDING'
  | 'RECEIVED'
  | 'STARTED'
  | 'SUCCESS'
  | 'FAILURE'
  | 'REVOKED'
  | 'RETRY'
  | 'REJECTED'
  | 'IGNORED'
  | (string & {});

/** Whether `state` is final: SUCCESS, FAILURE or REVOKED. Celery's `READY_STATES`. */
export function isReadyState(state: string): boolean {
  return state === 'SUCCESS' || state === 'FAILURE' || state === 'REVOKED';
}

/** Whether `get()` throws for `state`: FAILURE or REVOKED. Celery's `PROPAGATE_STATES`. */
export function isPropagateState(state: string): boolean {
  return state === 'FAILURE' || state === 'REVOKED';
}

/** Whether the result of `state` is an error. Celery's `EXCEPTION_STATES`. */
export function isExceptionState(state: string): boolean {
  return state === 'RETRY' || isPropagateState(state);
}
