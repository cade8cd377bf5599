import type { RetryPolicy } from './apply-options.interface.js';

/** `ApplyOptions` once they are checked: only what was given, and all times absolute. */
export interface CallOptions {
  /** Milliseconds since the epoch. */
  readonly dueAt?: number;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number;
  readonly queue?: string;
  /** Seconds. */
  readonly timeLimit?: number;
  /** Seconds. */
  readonly softTimeLimit?: number;
  /** 0 to 9, higher first. */
  readonly priority?: number;
  readonly taskId?: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly ignoreResult?: boolean;
  readonly retry?: boolean;
  readonly retryPolicy?: Partial<RetryPolicy>;
  readonly serializer?: string;
  readonly shadow?: string;
  readonly argsRepr?: string;
  readonly kwargsRepr?: string;
  readonly rootId?: string;
  readonly parentId?: string;
  readonly throw?: boolean;
}
