import { asFunction, BULL_KEYS } from './bull-scripts.js';
import { FIELDS_PER_TASK, MARK_DONE, publishOne } from './publish.lua.js';
import { RECORD } from './record.lua.js';
import { lua, type KeyLayout, type ScriptConstants } from './script-constants.js';

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
export function fetchBody(constants: ScriptConstants): string {
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
export function finishText(constants: ScriptConstants, kind: FinishKind): string {
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
