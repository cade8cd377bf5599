import { asFunction } from './bull-scripts.js';
import { STATUS } from './record.lua.js';
import type { KeyLayout } from './script-constants.js';

/** How long a task that ran is remembered, so that a publish tried again does not repeat it. */
const DONE_SECONDS = 60;

/** Fields of one task in a flat list: kind, packed args, data, packed opts, id, expiresAt or ''. */
export const FIELDS_PER_TASK = 6;

/**
 * publishOne(): stores one task out of a flat list, from list[i] on. A queue that was ever given
 * a priority keeps a flag, so that the others need not look for priorities.
 */
export function publishOne(layout: KeyLayout): string {
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
export const MARK_DONE = `
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
export function publishUsual(layout: KeyLayout): string {
  return `
${asFunction('addStandard', 'addStandardJob')}
local base = KEYS[1]
local keys = { ${layout.addStandardJob.join(', ')} }
for i = 2, #ARGV, 2 do addStandard(keys, { ARGV[i], ARGV[i + 1], ARGV[1] }) end
return 1
`;
}

/** Stores a batch. KEYS: base. ARGV: queue, retrying, tasks. */
export function publishAny(layout: KeyLayout): string {
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
