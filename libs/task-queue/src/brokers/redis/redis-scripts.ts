import { createRequire } from 'node:module';

/**
 * Our Lua scripts. Those that move jobs are composed from BullMQ's own script texts, so that
 * the layout on disk is BullMQ's whatever its version, and a task's outcome and what follows
 * from it are one atomic step.
 *
 * What is the same for every call (prefixes, databases) stands in the text, and the many keys of
 * a queue are made from its base key in the script: parsing arguments is a good part of what a
 * call costs, on both sides.
 */

interface BullScript {
  readonly name: string;
  readonly keys: number;
  readonly content: string;
}

const bullScripts = createRequire(import.meta.url)('bullmq/dist/cjs/scripts') as Record<
  string,
  BullScript
>;

function bullScript(name: string): BullScript {
  const script = Object.values(bullScripts).find((candidate) => candidate.name === name);
  if (!script) {
    throw new Error(`BullMQ has no script '${name}': this version of BullMQ is not supported.`);
  }
  return script;
}

/** How many KEYS each of BullMQ's scripts takes. */
export const BULL_KEYS = {
  addStandardJob: bullScript('addStandardJob').keys,
  addDelayedJob: bullScript('addDelayedJob').keys,
  addPrioritizedJob: bullScript('addPrioritizedJob').keys,
  moveToActive: bullScript('moveToActive').keys,
  moveToFinished: bullScript('moveToFinished').keys,
  removeJob: bullScript('removeJob').keys,
} as const;

/** A BullMQ script as a Lua function of its KEYS and ARGV. */
function asFunction(localName: string, scriptName: string): string {
  return `local function ${localName}(KEYS, ARGV)\n${bullScript(scriptName).content}\nend\n`;
}

/** Payloads up to this length travel with the notification, longer ones are read. Bytes. */
export const NOTIFIED_PAYLOAD = 8192;

/** How long a task that ran is remembered, so that a publish tried again does not repeat it. */
const DONE_SECONDS = 60;

/** Fields of one task in a flat list: kind, packed args, data, packed opts, id, expiresAt or ''. */
export const FIELDS_PER_TASK = 6;

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

/** The scripts of one broker, by the name of their command. */
export function redisScripts(constants: ScriptConstants): Readonly<Record<ScriptName, string>> {
  const local = declare(constants);
  const { layout } = constants;
  return {
    celeryPublish: local + publishUsual(layout),
    celeryPublishAny: local + publishAny(layout),
    celeryFetch: local + asFunction('fetch', 'moveToActive') + fetchBody(constants),
    celeryFinish: local + finishText(constants, 'alone'),
    celeryFinishBare: local + finishText(constants, 'bare'),
    celeryFinishAndPublish: local + finishText(constants, 'successors'),
    celeryRetry: local + finishText(constants, 'retry'),
    celeryRecord: local + RECORD + 'return record(ARGV[1], ARGV[2], ARGV[3], ARGV[4])',
    celeryAnnounce: local + RECORD + 'wake(ARGV[1], ARGV[2], false) return 1',
    celeryExpire: local + RECORD + asFunction('remove', 'removeJob') + EXPIRE_ONE,
    celeryRevoke: local + RECORD + asFunction('remove', 'removeJob') + REVOKE_ONE,
    celeryReclaimed: RANK_RECLAIMED,
    celeryRedrive: local + publishOne(layout) + asFunction('remove', 'removeJob') + REDRIVE_ONE,
    celeryRead: local + inResultDb("redis.call('MGET', unpack(KEYS))"),
    celeryDelete: local + inResultDb("redis.call('DEL', unpack(KEYS))"),
    celeryWatch: local + WATCH_ONE,
    celeryWrite:
      local +
      inResultDb(
        "ARGV[2] == '' and redis.call('SET', KEYS[1], ARGV[1]) " +
          "or redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])",
      ),
  };
}

export type ScriptName =
  | 'celeryAnnounce'
  | 'celeryDelete'
  | 'celeryExpire'
  | 'celeryFetch'
  | 'celeryFinish'
  | 'celeryFinishAndPublish'
  | 'celeryFinishBare'
  | 'celeryPublish'
  | 'celeryPublishAny'
  | 'celeryRead'
  | 'celeryReclaimed'
  | 'celeryRecord'
  | 'celeryRedrive'
  | 'celeryRetry'
  | 'celeryRevoke'
  | 'celeryWatch'
  | 'celeryWrite';

function declare(constants: ScriptConstants): string {
  const { watchPrefix, donePrefix, metaPrefix, revoked, flags, expires, queues } = constants;
  return `
local WATCH, DONE, META = ${lua(watchPrefix)}, ${lua(donePrefix)}, ${lua(metaPrefix)}
local EXPIRES, QUEUES, REVOKED, FLAGS = ${lua(expires)}, ${lua(queues)}, ${lua(revoked)}, ${lua(flags)}
local DB, HOME = ${constants.resultDb}, ${constants.homeDb}
`;
}

/** A text as a Lua string. */
function lua(text: string | Buffer): string {
  const bytes = [...Buffer.from(text as string)].map(
    (byte) => `\\${String(byte).padStart(3, '0')}`,
  );
  return `"${bytes.join('')}"`;
}

function inResultDb(expression: string): string {
  return `
if DB ~= HOME then redis.call('SELECT', DB) end
local answer = ${expression}
if DB ~= HOME then redis.call('SELECT', HOME) end
return answer
`;
}

/** What is final, and the status of a stored result. */
const STATUS = `
local FINAL = { SUCCESS = true, FAILURE = true, REVOKED = true }
local function statusOf(metaKey)
  return string.match(redis.call('GETRANGE', metaKey, 0, 40), '^{"status":%s*"(%u+)"')
end
`;

/**
 * record(): stores a result unless a final one is there, and wakes who waits for it. The payload
 * begins with {"status":"X" (ours) or {"status": "X" (Python's). Most results are the first under
 * their key, so that is tried first.
 */
const RECORD = `${STATUS}
local function wake(id, payload, isFinal)
  local watchers = redis.call('SMEMBERS', WATCH .. id)
  if #watchers > 0 then
    local text = id .. '\\0'
    if #payload <= ${NOTIFIED_PAYLOAD} then text = text .. payload end
    for i = 1, #watchers do redis.call('PUBLISH', watchers[i], text) end
    if isFinal then redis.call('DEL', WATCH .. id) end
  end
end
local function put(metaKey, payload, ttl, onlyNew)
  local args = { 'SET', metaKey, payload }
  if ttl ~= '' then args[#args + 1] = 'PX' args[#args + 1] = ttl end
  if onlyNew then args[#args + 1] = 'NX' end
  return redis.call(unpack(args))
end
local function record(id, status, payload, ttl)
  local metaKey = META .. id
  if DB ~= HOME then redis.call('SELECT', DB) end
  local stored = put(metaKey, payload, ttl, true)
  if not stored then
    stored = not FINAL[statusOf(metaKey) or ''] and put(metaKey, payload, ttl, false)
  end
  if stored then redis.call('PUBLISH', metaKey, payload) end
  if DB ~= HOME then redis.call('SELECT', HOME) end
  if not stored then return 0 end
  wake(id, payload, FINAL[status])
  return 1
end
`;

/**
 * publishOne(): stores one task out of a flat list, from list[i] on. A queue that was ever given
 * a priority keeps a flag, so that the others need not look for priorities.
 */
function publishOne(layout: KeyLayout): string {
  const table = (keys: readonly string[]): string => `{ ${keys.join(', ')} }`;
  return `
${asFunction('addStandard', 'addStandardJob')}
${asFunction('addDelayed', 'addDelayedJob')}
${asFunction('addPrioritized', 'addPrioritizedJob')}
local function publishOne(base, queue, list, i)
  local argv = { list[i + 1], list[i + 2], list[i + 3] }
  local kind = string.sub(list[i], 1, 1)
  if kind == 'd' then addDelayed(${table(layout.addDelayedJob)}, argv)
  elseif kind == 'p' then addPrioritized(${table(layout.addPrioritizedJob)}, argv)
  else addStandard(${table(layout.addStandardJob)}, argv) end
  if string.sub(list[i], -1) == 'p' then
    redis.call('SET', base .. 'celery:priorities', 1)
    redis.call('SET', FLAGS, 1)
  end
  if list[i + 5] ~= '' then
    redis.call('ZADD', EXPIRES, list[i + 5], queue .. ':' .. list[i + 4])
  end
end
`;
}

/**
 * Ids that ended a short while ago, one set for each second by the worker's clock, which may be
 * off. Results that are stored say so themselves; the sets are for tasks that store none.
 */
const RAN = `${STATUS}
local function ranAlready(id)
  local second = tonumber(redis.call('TIME')[1])
  for at = second - ${DONE_SECONDS}, second + ${DONE_SECONDS} do
    if redis.call('SISMEMBER', DONE .. at, id) == 1 then return true end
  end
  if DB ~= HOME then redis.call('SELECT', DB) end
  local status = statusOf(META .. id)
  if DB ~= HOME then redis.call('SELECT', HOME) end
  return FINAL[status or '']
end
`;
const MARK_DONE = `
  local doneKey = DONE .. string.sub(timestamp, 1, -4)
  redis.call('SADD', doneKey, id)
  if newSecond == '1' then redis.call('EXPIRE', doneKey, ${2 * DONE_SECONDS}) end
`;

/**
 * Stores a batch of usual tasks: due now, without priority and expiry, published for the first
 * time. They have a script of their own: what a script only declares costs time at every call.
 *
 * KEYS: base. ARGV: packed options, then packed args and data of each.
 */
function publishUsual(layout: KeyLayout): string {
  return `
${asFunction('addStandard', 'addStandardJob')}
local base = KEYS[1]
local keys = { ${layout.addStandardJob.join(', ')} }
for i = 2, #ARGV, 2 do addStandard(keys, { ARGV[i], ARGV[i + 1], ARGV[1] }) end
return 1
`;
}

/** Stores a batch. KEYS: base. ARGV: queue, retrying, tasks. */
function publishAny(layout: KeyLayout): string {
  return `
${publishOne(layout)}
${RAN}
local queue, retrying = ARGV[1], ARGV[2] == '1'
for i = 3, #ARGV, ${FIELDS_PER_TASK} do
  if not (retrying and ranAlready(ARGV[i + 4])) then
    publishOne(KEYS[1], queue, ARGV, i)
  end
end
return 1
`;
}

/**
 * What goes before a fetch: BullMQ takes waiting tasks before prioritised ones; here the highest
 * priority comes first. So the first of the prioritised tasks is put to the front of those that
 * wait, and put back when it was not taken. Delayed tasks that are due are promoted before that.
 * Nothing is declared that is not used: most queues never see a priority.
 */
const RAISE = `
  if redis.call('EXISTS', base .. 'celery:priorities') == 1 then
    local delayedKey = base .. 'delayed'
    local due = redis.call('ZRANGEBYSCORE', delayedKey, 0, (timestamp + 1) * 0x1000 - 1, 'LIMIT', 0, 1000)
    for _, dueId in ipairs(due) do
      redis.call('ZREM', delayedKey, dueId)
      local priority = tonumber(redis.call('HGET', base .. dueId, 'priority')) or 0
      if priority == 0 then redis.call('LPUSH', keys[1], dueId)
      else
        local count = redis.call('INCR', base .. 'pc')
        redis.call('ZADD', keys[3], priority * 0x100000000 + count % 0x100000000, dueId)
      end
      redis.call('HSET', base .. dueId, 'delay', 0)
      redis.call('XADD', keys[4], '*', 'event', 'waiting', 'jobId', dueId, 'prev', 'delayed')
    end
    top = redis.call('ZPOPMIN', keys[3])
    if top[1] then redis.call('RPUSH', keys[1], top[1]) else top = nil end
  end
`;

/** Puts back what was raised and not taken. */
const LOWER = `
  if top then
    redis.call('RPOP', keys[1])
    redis.call('ZADD', keys[3], top[2], top[1])
  end
`;

/**
 * What goes after a fetch: whether the task was revoked; or, when there was none, no sign of work
 * is kept: BullMQ leaves one behind with every fetch, and who waits would wake for nothing.
 *
 * @param marker - Index of the marker among `keys`.
 */
function settle(marker: number): string {
  return `
  if type(result) == 'table' and result[1] and result[1] ~= 0 then
    local mark = flagged and redis.call('ZSCORE', REVOKED, result[2])
    if mark and tonumber(mark) > tonumber(timestamp) then result[5] = 1 end
  else
    ${LOWER}
    if redis.call('LLEN', keys[1]) == 0 and redis.call('ZCARD', keys[3]) == 0 then
      redis.call('ZREM', keys[${marker}], '0')
    end
  end
`;
}

/** moveToActive's KEYS are the first ten of moveToFinished's, and its marker. */
function fetchKeys({ moveToFinished }: KeyLayout): string {
  const own = moveToFinished.slice(0, BULL_KEYS.moveToActive - 1);
  return [...own, moveToFinished.at(-1)].join(', ');
}

/**
 * The packed options of the holder of `token`, made here: a command without binary arguments is
 * much cheaper to write.
 */
function optionsOf({ options }: ScriptConstants): string {
  return `${lua(options.before)} .. string.char(#token) .. token .. ${lua(options.after)}`;
}

/** KEYS: base. ARGV: timestamp, token. */
function fetchBody(constants: ScriptConstants): string {
  const { layout } = constants;
  return `
local base, timestamp, token, top = KEYS[1], ARGV[1], ARGV[2], nil
local opts = ${optionsOf(constants)}
local keys = { ${fetchKeys(layout)} }
local flagged = redis.call('EXISTS', FLAGS) == 1
if flagged then ${RAISE} end
local result = fetch(keys, { base, timestamp, opts })
${settle(BULL_KEYS.moveToActive)}
return result
`;
}

type FinishKind = 'bare' | 'alone' | 'successors' | 'retry';

/**
 * Ends a lease with all that follows. `bare` stores no result; `alone` has no successors;
 * `successors` stores them before it fetches, for one of them may be the next; `retry` stores the
 * same task anew, and fetches nothing.
 *
 * KEYS: base. ARGV: id, timestamp, fetchNext, token, '1' for the first of a second;
 * then, unless bare, status, payload and ttl of the record, announced payload, target, property
 * value and packed options of the finished job ('' for the usual ones); then tasks to publish:
 * queue, base of the queue, one task.
 */
function finishText(constants: ScriptConstants, kind: FinishKind): string {
  const { layout } = constants;
  const isBare = kind === 'bare';
  const publishes = kind === 'successors' || kind === 'retry';
  return `
${asFunction('finish', 'moveToFinished')}
${kind === 'successors' ? asFunction('fetch', 'moveToActive') : ''}
${publishes ? publishOne(layout) : ''}
${isBare ? '' : RECORD}
local base, id, timestamp, fetchNext, token, newSecond = KEYS[1], unpack(ARGV)
local opts = ${optionsOf(constants)}
${
  isBare
    ? "local target, property, value = 'completed', 'returnvalue', 'null'"
    : `
local status, payload, ttl, announced, target, property, value, own = unpack(ARGV, 6, 13)
if own ~= '' then opts = own end`
}
local top
local keys = { ${layout.moveToFinished.join(', ')} }
local flagged = redis.call('EXISTS', FLAGS) == 1
if flagged and fetchNext == '1' then ${RAISE} end
local result = finish(keys, { id, timestamp, property, value, target,
  ${publishes ? "'0'" : 'fetchNext'}, base, opts, '' })
if type(result) == 'number' and result < 0 then
  ${LOWER}
  return result
end
${kind === 'retry' ? DROP_EXPIRY : "if flagged then redis.call('ZREM', REVOKED, id) end"}
${isBare ? MARK_DONE : recordOutcome(kind)}
${publishes ? PUBLISH_ALL : ''}
if fetchNext == '1' then
  ${kind === 'successors' ? `result = fetch({ ${fetchKeys(layout)} }, { base, timestamp, opts })` : ''}
  ${settle(BULL_KEYS.moveToFinished)}
end
return result
`;
}

function recordOutcome(kind: FinishKind): string {
  const isRetry = kind === 'retry';
  return `
if payload ~= '' then record(id, status, payload, ttl) end
${isRetry ? MARK_DONE : `if payload == '' then ${MARK_DONE} end`}
if announced ~= '' then wake(id, announced, ${isRetry ? 'false' : 'true'}) end
`;
}

/** The expiry of the message that a retry replaces; names of queues have no colon. */
const DROP_EXPIRY = `
redis.call('ZREM', EXPIRES, string.match(base, '([^:]+):$') .. ':' .. id)
`;

const PUBLISH_ALL = `
for i = 14, #ARGV, ${FIELDS_PER_TASK + 2} do
  redis.call('SADD', QUEUES, ARGV[i])
  publishOne(ARGV[i + 1], ARGV[i], ARGV, i + 2)
end
`;

/**
 * Ends an expired task that no worker holds. KEYS: removeJob's, lock. ARGV: removeJob's 3, id,
 * status, payload, ttl, member of expires.
 * Returns 1 when it was ended, 0 when there was nothing to end, -1 when a worker holds it.
 */
const EXPIRE_ONE = `
if redis.call('EXISTS', KEYS[${BULL_KEYS.removeJob + 1}]) == 1 then return -1 end
redis.call('ZREM', EXPIRES, ARGV[8])
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'finishedOn') == 1 then
  return 0
end
if remove(KEYS, ARGV) ~= 1 then return 0 end
redis.call('ZREM', REVOKED, ARGV[4])
if ARGV[6] ~= '' then record(ARGV[4], ARGV[5], ARGV[6], ARGV[7]) end
return 1
`;

/** KEYS: watch set. ARGV: id, channel, ttl of the watch. Returns what is stored for the id. */
const WATCH_ONE = `
redis.call('SADD', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
${inResultDb("redis.call('GET', META .. ARGV[1])")}
`;

/**
 * Revokes a task. KEYS: removeJob's, lock. ARGV: removeJob's 3, id, status, payload, ttl, until
 * when the mark is kept, whether the task is in the store. Returns 1 when it was ended, 2 when a
 * worker holds it, 0 when it is not there.
 */
const REVOKE_ONE = `
local isThere = redis.call('EXISTS', KEYS[1]) == 1
  and redis.call('HEXISTS', KEYS[1], 'finishedOn') == 0
if isThere and redis.call('EXISTS', KEYS[${BULL_KEYS.removeJob + 1}]) == 0 then
  if remove(KEYS, ARGV) == 1 then
    redis.call('ZREM', REVOKED, ARGV[4])
    if ARGV[6] ~= '' then record(ARGV[4], ARGV[5], ARGV[6], ARGV[7]) end
    return 1
  end
end
if isThere then
  redis.call('ZADD', REVOKED, ARGV[8], ARGV[4])
  redis.call('SET', FLAGS, 1)
  return 2
end
return 0
`;

/**
 * Puts reclaimed tasks that have a priority to the front of their priority; BullMQ puts them to
 * the front of all. KEYS: base. ARGV: ids.
 */
const RANK_RECLAIMED = `
local base = KEYS[1]
for i = 1, #ARGV do
  local priority = tonumber(redis.call('HGET', base .. ARGV[i], 'priority')) or 0
  if priority > 0 and redis.call('LREM', base .. 'wait', 1, ARGV[i]) == 1 then
    redis.call('ZADD', base .. 'prioritized', priority * 0x100000000, ARGV[i])
  end
end
return 1
`;

/** KEYS: removeJob's, base. ARGV: removeJob's 3, queue, '' or one task. Returns 1 or 0. */
const REDRIVE_ONE = `
local base = KEYS[${BULL_KEYS.removeJob + 1}]
if not redis.call('ZSCORE', base .. 'failed', ARGV[1]) then return 0 end
if remove(KEYS, ARGV) ~= 1 then return 0 end
redis.call('ZREM', EXPIRES, ARGV[4] .. ':' .. ARGV[1])
if ARGV[5] ~= '' then publishOne(base, ARGV[4], ARGV, 5) end
return 1
`;
