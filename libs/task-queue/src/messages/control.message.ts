/** Asks the worker that runs a task to end it. Celery's remote control command `revoke`. */
export interface RevokeMessage {
  readonly method: 'revoke';
  readonly id: string;
  /** Whether a running task is ended, or only told. */
  readonly terminate: boolean;
}

/** What goes to all workers. */
export type ControlMessage = RevokeMessage;

/** Writes a message as Celery writes it: `{"method": ..., "arguments": {...}}`. */
export function encodeControl({ id, method, terminate }: ControlMessage): string {
  return JSON.stringify({ method, arguments: { task_id: id, terminate, signal: null } });
}

/** Reads a message; `undefined` for one that this version does not know. Never throws. */
export function decodeControl(text: string): ControlMessage | undefined {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { method, arguments: args } = (message ?? {}) as Record<string, unknown>;
  const { task_id: id, terminate } = (args ?? {}) as Record<string, unknown>;
  return method === 'revoke' && typeof id === 'string'
    ? { method, id, terminate: terminate === true }
    : undefined;
}
