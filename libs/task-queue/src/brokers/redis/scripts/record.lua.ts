/** Payloads up to this length travel with the notification, longer ones are read. Bytes. */
export const NOTIFIED_PAYLOAD = 8192;

/** What is final, and the status of a stored result. */
export const STATUS = `
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
export const RECORD = `${STATUS}
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
