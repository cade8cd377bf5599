import { BULL_KEYS } from './bull-scripts.js';
import { inResultDb } from './script-constants.js';

/**
 * Ends an expired task that no worker holds. KEYS: removeJob's, lock. ARGV: removeJob's 3, id,
 * status, payload, ttl, member of expires.
 * Returns 1 when it was ended, 0 when there was nothing to end, -1 when a worker holds it.
 */
export const EXPIRE_ONE = `
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
export const WATCH_ONE = `
redis.call('SADD', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
${inResultDb("redis.call('GET', META .. ARGV[1])")}
`;

/**
 * Revokes a task. KEYS: removeJob's, lock. ARGV: removeJob's 3, id, status, payload, ttl, until
 * when the mark is kept, whether the task is in the store. Returns 1 when it was ended, 2 when a
 * worker holds it, 0 when it is not there.
 */
export const REVOKE_ONE = `
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
export const RANK_RECLAIMED = `
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
export const REDRIVE_ONE = `
local base = KEYS[${BULL_KEYS.removeJob + 1}]
if not redis.call('ZSCORE', base .. 'failed', ARGV[1]) then return 0 end
if remove(KEYS, ARGV) ~= 1 then return 0 end
redis.call('ZREM', EXPIRES, ARGV[4] .. ':' .. ARGV[1])
if ARGV[5] ~= '' then publishOne(base, ARGV[4], ARGV, 5) end
return 1
`;
