-- me fencedHolder storeId max graceMs retainMs force cause
-- Takes up to max entries of a fenced holder away, users before channels; the grace of those who leave counts from the end of
-- its lease. force=1 fences it first. Any number of nodes may do it at once: an entry is popped once. EPOCH, FENCED, EXPIRED
-- as in apply; LIVE: it is not fenced; GONE: there is nothing of it; or OK <entries left> <entries taken> <next deadline>
-- <writes of the store>.
local me, other, storeId, max = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local graceMs, retainMs, isForced, forcedCause = tonumber(ARGV[6]), ARGV[7], ARGV[8] == '1', ARGV[9]
local death = K .. ':dx'
local taken = 0

local function fence()
  redis.call('HSET', death, other, now(), other .. '#c', forcedCause)
  redis.call('ZADD', K .. ':lease', 0, other)
end

-- In order of name, so that what a channel is told comes in one order everywhere.
local function pop(index)
  local entries = redis.call('SPOP', K .. index .. other, max - taken)
  table.sort(entries)
  taken = taken + #entries
  return entries
end

local function takeEntries(leave)
  for _, entry in ipairs(pop(':iu:')) do
    local app, name, user = string.match(entry, '^([^:]+):([^:]+):(.*)$')
    userDown(channelOf(app, name, other), user, leave)
  end
  for _, entry in ipairs(pop(':ic:')) do
    local app, name = string.match(entry, '^([^:]+):([^:]+)$')
    channelDown(channelOf(app, name, other), leave)
  end
  for _, entry in ipairs(pop(':is:')) do
    local app, user = string.match(entry, '^([^:]+):(.*)$')
    signIns(app, user, -1, true)
  end
end

local refusal = refusalOf(me, storeId)
if refusal then return refusal end
local lease = redis.call('ZSCORE', K .. ':lease', other)
if not lease and heldBy(other) == 0 then return { 'GONE' } end
if tonumber(lease or 1) > 0 then
  if not isForced then return { 'LIVE' } end
  fence()
end

countWrite()
local died = redis.call('HMGET', death, other, other .. '#c')
takeEntries({ atMs = tonumber(died[1] or now()), graceMs = graceMs, cause = died[2] or 'node_lost' })
finishAll(retainMs)
wakeOwner()
local left = heldBy(other)
if left == 0 then forgetHolder(other) end
return { 'OK', left, taken, nextDeadline(), store.writes }
