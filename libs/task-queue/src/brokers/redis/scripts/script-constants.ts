/** KEYS of BullMQ's scripts as Lua expressions of `base`, and of `id` and `target`. */
export interface KeyLayout {
  readonly moveToFinished: readonly string[];
  readonly addStandardJob: readonly string[];
  readonly addDelayedJob: readonly string[];
  readonly addPrioritizedJob: readonly string[];
}

/** What stands in the text of the scripts of one broker. */
export interface ScriptConstants {
  readonly layout: KeyLayout;
  /** BullMQ's packed options to complete a job and to fetch one, around length and token. */
  readonly options: { readonly before: Buffer; readonly after: Buffer };
  readonly revoked: string;
  /** Is there once a priority or a revoke was used: who uses neither does not look for them. */
  readonly flags: string;
  readonly watchPrefix: string;
  readonly donePrefix: string;
  readonly metaPrefix: string;
  readonly expires: string;
  readonly queues: string;
  readonly resultDb: number;
  readonly homeDb: number;
}

export function declare(constants: ScriptConstants): string {
  const { watchPrefix, donePrefix, metaPrefix, revoked, flags, expires, queues } = constants;
  return `
local WATCH, DONE, META = ${lua(watchPrefix)}, ${lua(donePrefix)}, ${lua(metaPrefix)}
local EXPIRES, QUEUES, REVOKED, FLAGS = ${lua(expires)}, ${lua(queues)}, ${lua(revoked)}, ${lua(flags)}
local DB, HOME = ${constants.resultDb}, ${constants.homeDb}
`;
}

/** A text as a Lua string. */
export function lua(text: string | Buffer): string {
  const bytes = [...Buffer.from(text as string)].map(
    (byte) => `\\${String(byte).padStart(3, '0')}`,
  );
  return `"${bytes.join('')}"`;
}

export function inResultDb(expression: string): string {
  return `
if DB ~= HOME then redis.call('SELECT', DB) end
local answer = ${expression}
if DB ~= HOME then redis.call('SELECT', HOME) end
return answer
`;
}
