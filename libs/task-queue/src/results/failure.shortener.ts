import type { EncodedError } from '../messages/index.js';

/** A failure as it is stored: the stack stands in `traceback`, not in the error as well. */
export interface StoredFailure {
  readonly result: Omit<EncodedError, 'exc_stack'>;
  readonly traceback: string | null;
}

const MOST_ARGUMENTS = 5;
const LONGEST_TEXT = 4_096;

export function failureOf(error: EncodedError): StoredFailure {
  const { exc_stack: traceback = null, ...result } = error;
  return { result, traceback };
}

/**
 * The same failure in few words, for one that would not fit into `maxBytes`: the fields of the
 * error and its causes are left out, its message and its stack cut.
 */
export function shortened(failure: StoredFailure, maxBytes: number): StoredFailure {
  const { exc_type, exc_message, exc_module } = failure.result;
  // A character may take six bytes of JSON, and there are up to six texts.
  const length = Math.min(LONGEST_TEXT, Math.max(64, Math.floor(maxBytes / 64)));
  const texts = typeof exc_message === 'string' ? [exc_message] : exc_message;
  return {
    result: {
      exc_type: cut(exc_type, length),
      exc_message: texts
        .slice(0, MOST_ARGUMENTS)
        .map((text) => (typeof text === 'string' ? cut(text, length) : text)),
      exc_module: exc_module === null ? null : cut(exc_module, length),
    },
    traceback: failure.traceback === null ? null : cut(failure.traceback, length),
  };
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}...`;
}
