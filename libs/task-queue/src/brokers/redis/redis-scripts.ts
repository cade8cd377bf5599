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

/** What stands in the text of the scripts of one broker. */
export interface ScriptConstants {
  /** KEYS of moveToFinished as Lua expressions of `base`, `id` and `target`. */
  readonly finishKeys: readonly string[];
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
  return {
    celeryPublish: local + publishText('usual'),
    celeryPublishAny: local + publishText('any'),
    celeryFetch: local + CLEAR_MARKER + asFunction('fetch', 'moveToActive') + fetchBody(constants),
    celeryFinish: local + finishText(constants, false),
    celeryFinishAndPublish: local + finishText(constants, true),
    celeryRecord: local + RECORD + 'return record(ARGV[1], ARGV[2], ARGV[3], ARGV[4])',
    celeryAnnounce: local + RECORD + 'wake(ARGV[1], ARGV[2], false) return 1',
    celeryExpire: local + RECORD + asFunction('remove', 'removeJob') + EXPIRE_ONE,
    celeryRead: local + inResultDb("redis.call('MGET', unpack(KEYS))"),
    celeryDelete: local + inResultDb("redis.call('DEL', unpack(KEYS))"),
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
  | 'celeryPublish'
  | 'celeryPublishAny'
  | 'celeryRead'
  | 'celeryRecord'
  | 'celeryWrite';

function declare(constants: ScriptConstants): string {
  const { watchPrefix, donePrefix, metaPrefix, expires, queues, resultDb, homeDb } = constants;
  return `
local WATCH, DONE, META = ${lua(watchPrefix)}, ${lua(donePrefix)}, ${lua(metaPrefix)}
local EXPIRES, QUEUES = ${lua(expires)}, ${lua(queues)}
local DB, HOME = ${resultDb}, ${homeDb}
local FINAL = { SUCCESS = true, FAILURE = true, REVOKED = true }
local function statusOf(metaKey)
  return string.match(redis.call('GETRANGE', metaKey, 0, 40), '^{"status":%s*"(%u+)"')
end
`;
}

/** A text as a Lua string. */
function lua(text: string): string {
  const bytes = [...Buffer.from(text)].map((byte) => `\\${String(byte).padStart(3, '0')}`);
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

/**
 * record(): stores a result unless a final one is there, and wakes who waits for it. The payload
 * begins with {"status":"X" (ours) or {"status": "X" (Python's). Most results are the first under
 * their key, so that is tried first.
 */
const RECORD = `
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

/** publishOne(): stores one task out of a flat list, from list[i] on. */
function publishOne(withDelayed: boolean): string {
  return `
${asFunction('addStandard', 'addStandardJob')}
${withDelayed ? asFunction('addDelayed', 'addDelayedJob') : ''}
local function slice(list, from, count)
  local part = {}
  for i = 1, count do part[i] = list[from + i - 1] end
  return part
end
local function publishOne(standardKeys, delayedKeys, queue, list, i)
  local argv = { list[i + 1], list[i + 2], list[i + 3] }
  ${withDelayed ? "if list[i] == 'd' then addDelayed(delayedKeys, argv) else addStandard(standardKeys, argv) end" : 'addStandard(standardKeys, argv)'}
  if list[i + 5] ~= '' then
    redis.call('ZADD', EXPIRES, list[i + 5], queue .. ':' .. list[i + 4])
  end
end
`;
}

/**
 * Ids that ended a short while ago, one set for each second. Results that are stored say so
 * themselves; the sets are for tasks that store none.
 */
const RAN = `
local function ranAlready(id)
  local second = tonumber(redis.call('TIME')[1])
  for past = 0, ${DONE_SECONDS} do
    if redis.call('SISMEMBER', DONE .. (second - past), id) == 1 then return true end
  end
  if DB ~= HOME then redis.call('SELECT', DB) end
  local status = statusOf(META .. id)
  if DB ~= HOME then redis.call('SELECT', HOME) end
  return FINAL[status or '']
end
`;
const MARK_DONE = `
  local doneKey = DONE .. redis.call('TIME')[1]
  redis.call('SADD', doneKey, id)
  redis.call('EXPIRE', doneKey, ${DONE_SECONDS + 1})
`;

/**
 * Stores a batch. The usual one, of tasks that are due now and published for the first time, has
 * a script of its own: what a script only declares costs time at every call, too.
 *
 * KEYS: standard keys, delayed keys. ARGV: queue, retrying, tasks.
 */
function publishText(kind: 'usual' | 'any'): string {
  const isAny = kind === 'any';
  return `
${publishOne(isAny)}
${isAny ? RAN : ''}
local standardKeys = slice(KEYS, 1, ${BULL_KEYS.addStandardJob})
local delayedKeys = slice(KEYS, ${BULL_KEYS.addStandardJob + 1}, ${BULL_KEYS.addDelayedJob})
local queue, retrying = ARGV[1], ARGV[2] == '1'
for i = 3, #ARGV, ${FIELDS_PER_TASK} do
  if not (retrying and ${isAny ? 'ranAlready(ARGV[i + 4])' : 'false'}) then
    publishOne(standardKeys, delayedKeys, queue, ARGV, i)
  end
end
return 1
`;
}

/**
 * A queue that was found empty keeps no sign of work: BullMQ leaves one behind with every fetch,
 * and who waits would wake for nothing.
 */
const CLEAR_MARKER = `
local function clearMarker(waitKey, prioritizedKey, markerKey)
  if redis.call('LLEN', waitKey) == 0 and redis.call('ZCARD', prioritizedKey) == 0 then
    redis.call('ZREM', markerKey, '0')
  end
end
local function foundNone(result)
  return type(result) ~= 'table' or not result[1] or result[1] == 0
end
`;

/** moveToActive's KEYS are the first ten of moveToFinished's, and its marker. */
function fetchKeys(finishKeys: readonly string[]): string {
  return [...finishKeys.slice(0, BULL_KEYS.moveToActive - 1), finishKeys.at(-1)].join(', ');
}

/** KEYS: base. ARGV: timestamp, packed options. */
function fetchBody({ finishKeys }: ScriptConstants): string {
  return `
local base = KEYS[1]
local keys = { ${fetchKeys(finishKeys)} }
local result = fetch(keys, { base, ARGV[1], ARGV[2] })
if foundNone(result) then clearMarker(keys[1], keys[3], keys[${BULL_KEYS.moveToActive}]) end
return result
`;
}

/**
 * KEYS: base. ARGV: id, timestamp, fetchNext, packed options; then, where there is one, status,
 * payload and ttl of the record, announced payload, and for a dead letter target, property and
 * value; then successors: queue, its standard keys, its delayed keys, one task.
 */
function finishText({ finishKeys }: ScriptConstants, withSuccessors: boolean): string {
  return `
${asFunction('finish', 'moveToFinished')}
${withSuccessors ? asFunction('fetch', 'moveToActive') + publishOne(true) : ''}
${RECORD}
${CLEAR_MARKER}
local base, id, timestamp, fetchNext, opts = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local status, payload, ttl, announced = ARGV[5] or '', ARGV[6] or '', ARGV[7] or '', ARGV[8] or ''
local target, property, value = ARGV[9] or 'completed', ARGV[10] or 'returnvalue', ARGV[11] or 'null'
local keys = { ${finishKeys.join(', ')} }
local result = finish(keys, { id, timestamp, property, value, target,
  ${withSuccessors ? "'0'" : 'fetchNext'}, base, opts, '' })
if type(result) == 'number' and result < 0 then return result end
if payload ~= '' then record(id, status, payload, ttl) else ${MARK_DONE} end
if announced ~= '' then wake(id, announced, true) end
${withSuccessors ? publishSuccessors(finishKeys) : ''}
if fetchNext == '1' and foundNone(result) then
  clearMarker(keys[1], keys[3], keys[${BULL_KEYS.moveToFinished}])
end
return result
`;
}

// The successors are stored before the next task is fetched: one of them may be it. The options
// of moveToFinished hold all that moveToActive wants.
function publishSuccessors(finishKeys: readonly string[]): string {
  return `
local nStandard, nDelayed = ${BULL_KEYS.addStandardJob}, ${BULL_KEYS.addDelayedJob}
local i = 12
while i <= #ARGV do
  local standardKeys = slice(ARGV, i + 1, nStandard)
  local delayedKeys = slice(ARGV, i + 1 + nStandard, nDelayed)
  local task = i + 1 + nStandard + nDelayed
  redis.call('SADD', QUEUES, ARGV[i])
  publishOne(standardKeys, delayedKeys, ARGV[i], ARGV, task)
  i = task + ${FIELDS_PER_TASK}
end
if fetchNext == '1' then result = fetch({ ${fetchKeys(finishKeys)} }, { base, timestamp, opts }) end
`;
}

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
if ARGV[6] ~= '' then record(ARGV[4], ARGV[5], ARGV[6], ARGV[7]) end
return 1
`;
