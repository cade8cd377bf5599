import { createRequire } from 'node:module';

/**
 * Our Lua scripts. Those that move jobs are composed from BullMQ's own script texts, so that
 * the layout on disk is BullMQ's whatever its version, and a task's outcome and what follows
 * from it are one atomic step. BullMQ's scripts come first with their KEYS and ARGV untouched;
 * ours follow after them.
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

/**
 * record(spec): stores a result unless a final one is there, and wakes who waits for it.
 * The payload begins with {"status":"X" (ours) or {"status": "X" (Python's).
 */
const RECORD = `
local FINAL = { SUCCESS = true, FAILURE = true, REVOKED = true }
local function wake(watchKey, id, payload, isFinal)
  local watchers = redis.call('SMEMBERS', watchKey)
  if #watchers > 0 then
    local text = id .. '\\0'
    if #payload <= ${NOTIFIED_PAYLOAD} then text = text .. payload end
    for i = 1, #watchers do redis.call('PUBLISH', watchers[i], text) end
    if isFinal then redis.call('DEL', watchKey) end
  end
end
local function record(metaKey, watchKey, id, status, payload, ttl, db, homeDb)
  if db ~= homeDb then redis.call('SELECT', db) end
  local head = redis.call('GETRANGE', metaKey, 0, 40)
  local stored = string.match(head, '^{"status":%s*"(%u+)"')
  local refused = stored and FINAL[stored]
  if not refused then
    if ttl == '' then redis.call('SET', metaKey, payload)
    else redis.call('SET', metaKey, payload, 'PX', ttl) end
    redis.call('PUBLISH', metaKey, payload)
  end
  if db ~= homeDb then redis.call('SELECT', homeDb) end
  if refused then return 0 end
  wake(watchKey, id, payload, FINAL[status])
  return 1
end
`;

/**
 * publishOne(i): one task out of a flat list, from ARGV[i] on:
 * kind, packed args, data, packed opts, id, expiresAt or ''.
 */
const PUBLISH = `
${asFunction('addStandard', 'addStandardJob')}
${asFunction('addDelayed', 'addDelayedJob')}
local function slice(list, from, count)
  local part = {}
  for i = 1, count do part[i] = list[from + i - 1] end
  return part
end
local function publishOne(standardKeys, delayedKeys, expiresKey, queue, list, i)
  local argv = { list[i + 1], list[i + 2], list[i + 3] }
  if list[i] == 'd' then addDelayed(delayedKeys, argv) else addStandard(standardKeys, argv) end
  if list[i + 5] ~= '' then
    redis.call('ZADD', expiresKey, list[i + 5], queue .. ':' .. list[i + 4])
  end
end
`;

/** Fields of one task in the flat list of `PUBLISH`. */
export const FIELDS_PER_TASK = 6;

/** KEYS: standard keys, delayed keys, expires. ARGV: queue, retrying, doneKey, metaKey, db, homeDb, tasks. */
export const PUBLISH_SCRIPT = `
${PUBLISH}
local nStandard, nDelayed = ${BULL_KEYS.addStandardJob}, ${BULL_KEYS.addDelayedJob}
local standardKeys = slice(KEYS, 1, nStandard)
local delayedKeys = slice(KEYS, nStandard + 1, nDelayed)
local expiresKey = KEYS[nStandard + nDelayed + 1]
local queue, retrying, donePrefix, metaPrefix, db, homeDb =
  ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local function ranAlready(id)
  if redis.call('EXISTS', donePrefix .. id) == 1 then return true end
  if db ~= homeDb then redis.call('SELECT', db) end
  local head = redis.call('GETRANGE', metaPrefix .. id, 0, 40)
  if db ~= homeDb then redis.call('SELECT', homeDb) end
  local status = string.match(head, '^{"status":%s*"(%u+)"')
  return status == 'SUCCESS' or status == 'FAILURE' or status == 'REVOKED'
end
for i = 7, #ARGV, ${FIELDS_PER_TASK} do
  if not (retrying and ranAlready(ARGV[i + 4])) then
    publishOne(standardKeys, delayedKeys, expiresKey, queue, ARGV, i)
  end
end
return 1
`;

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

/** KEYS and ARGV are moveToActive's. */
export const FETCH_SCRIPT = `
${asFunction('fetch', 'moveToActive')}
${CLEAR_MARKER}
local result = fetch(KEYS, ARGV)
if foundNone(result) then clearMarker(KEYS[1], KEYS[3], KEYS[11]) end
return result
`;

// The successors are stored before the next task is fetched: one of them may be it. The first
// ten KEYS of moveToFinished are those of moveToActive, and so are the fields of its options.
const PUBLISH_SUCCESSORS = `
local nStandard, nDelayed = ${BULL_KEYS.addStandardJob}, ${BULL_KEYS.addDelayedJob}
local i = 18
while i <= #ARGV do
  local standardKeys = slice(ARGV, i + 1, nStandard)
  local delayedKeys = slice(ARGV, i + 1 + nStandard, nDelayed)
  local task = i + 1 + nStandard + nDelayed
  redis.call('SADD', queuesKey, ARGV[i])
  publishOne(standardKeys, delayedKeys, expiresKey, ARGV[i], ARGV, task)
  i = task + ${FIELDS_PER_TASK}
end
if fetchNext == '1' then
  local fetchKeys = slice(KEYS, 1, ${BULL_KEYS.moveToActive - 1})
  fetchKeys[${BULL_KEYS.moveToActive}] = KEYS[14]
  result = fetch(fetchKeys, { ARGV[7], ARGV[2], ARGV[8] })
end
`;

/**
 * KEYS: moveToFinished's, meta, watch, done, expires, queues. ARGV: moveToFinished's 9, id,
 * status, payload ('' = no record), ttl, db, homeDb, announced payload, ttl of the done mark
 * ('' = none), then successors: queue, its standard keys, its delayed keys, one task.
 */
const finishScript = (withSuccessors: boolean): string => `
${asFunction('finish', 'moveToFinished')}
${withSuccessors ? asFunction('fetch', 'moveToActive') : ''}
${withSuccessors ? PUBLISH : ''}
${RECORD}
${CLEAR_MARKER}
local nKeys = ${BULL_KEYS.moveToFinished}
local fetchNext = ARGV[6]
${withSuccessors ? `ARGV[6] = '0'` : ''}
local result = finish(KEYS, ARGV)
if type(result) == 'number' and result < 0 then return result end
local metaKey, watchKey, doneKey, expiresKey, queuesKey =
  KEYS[nKeys + 1], KEYS[nKeys + 2], KEYS[nKeys + 3], KEYS[nKeys + 4], KEYS[nKeys + 5]
local id, status, payload, ttl, db, homeDb, announced, doneTtl =
  ARGV[10], ARGV[11], ARGV[12], ARGV[13], ARGV[14], ARGV[15], ARGV[16], ARGV[17]
if payload ~= '' then record(metaKey, watchKey, id, status, payload, ttl, db, homeDb) end
if announced ~= '' then wake(watchKey, id, announced, true) end
if doneTtl ~= '' then redis.call('SET', doneKey, 1, 'PX', doneTtl) end
${withSuccessors ? PUBLISH_SUCCESSORS : ''}
if fetchNext == '1' and foundNone(result) then clearMarker(KEYS[1], KEYS[3], KEYS[14]) end
return result
`;

export const FINISH_SCRIPT = finishScript(false);
export const FINISH_AND_PUBLISH_SCRIPT = finishScript(true);

/** KEYS: meta, watch. ARGV: id, status, payload, ttl, db, homeDb. */
export const RECORD_SCRIPT = `
${RECORD}
return record(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6])
`;

/** KEYS: watch. ARGV: id, payload. */
export const ANNOUNCE_SCRIPT = `
${RECORD}
wake(KEYS[1], ARGV[1], ARGV[2], false)
return 1
`;

/**
 * Ends an expired task that no worker holds. KEYS: removeJob's, meta, watch, expires, lock.
 * ARGV: removeJob's 3, id, status, payload, ttl, db, homeDb, member of expires.
 * Returns 1 when it was ended, 0 when there was nothing to end, -1 when a worker holds it.
 */
export const EXPIRE_SCRIPT = `
${asFunction('remove', 'removeJob')}
${RECORD}
local n = ${BULL_KEYS.removeJob}
if redis.call('EXISTS', KEYS[n + 4]) == 1 then return -1 end
redis.call('ZREM', KEYS[n + 3], ARGV[10])
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'finishedOn') == 1 then
  return 0
end
if remove(KEYS, ARGV) ~= 1 then return 0 end
if ARGV[6] ~= '' then
  record(KEYS[n + 1], KEYS[n + 2], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9])
end
return 1
`;

/** Commands on another database of the same server. ARGV: db, homeDb, then what each says. */
const withDatabase = (body: string): string => `
if ARGV[1] ~= ARGV[2] then redis.call('SELECT', ARGV[1]) end
local answer = ${body}
if ARGV[1] ~= ARGV[2] then redis.call('SELECT', ARGV[2]) end
return answer
`;

export const READ_SCRIPT = withDatabase(`redis.call('MGET', unpack(KEYS))`);
export const DELETE_SCRIPT = withDatabase(`redis.call('DEL', unpack(KEYS))`);
export const WRITE_SCRIPT = withDatabase(
  `ARGV[4] == '' and redis.call('SET', KEYS[1], ARGV[3]) or redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])`,
);
