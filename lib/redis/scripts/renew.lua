-- holder storeId lastAcked leaseMs P newStoreId knownGen wantsOwner givesOwner knownWrites
-- The heartbeat of a holder: prolongs its lease, finds the dead, decides who owns the partition, and finds out whether the
-- store has lost something: then a generation begins. PARTITIONS <P>, EPOCH <id>, FENCED, GAP <last batch>, or OK with the
-- state of the partition.
local holder, storeId, lastAcked, leaseMs = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local partitions, newStoreId, knownGen = ARGV[6], ARGV[7], tonumber(ARGV[8])
local wantsOwner, givesOwner, knownWrites = ARGV[9] == '1', ARGV[10] == '1', tonumber(ARGV[11])
local leases = K .. ':lease'

-- One of the same number may have been lost: its epochs have another name. Until then nodes come to tell what they hold:
-- who has not by then has no lease any more.
local function setGeneration(gen)
  store.gen = gen
  redis.call('HSET', K .. ':st', 'gen', gen, 'en', newStoreId, 'rx', now() + leaseMs)
end

-- Above the one that the holder knows, once for all who know the same.
local function beginGeneration()
  if store.gen <= knownGen then setGeneration(knownGen + 1) end
end

-- The holder has perhaps not heard of the generation in which they were lost. Of those who know of as many none finds it again.
local function replaceLostWrites()
  store.writes = knownWrites
  redis.call('HSET', K .. ':st', 'w', knownWrites)
  setGeneration(math.max(store.gen, knownGen) + 1)
end

-- Where there was a generation the store was wiped: what it makes now must not look like what it had made.
local function begin()
  store.id = newStoreId
  redis.call('HSET', K .. ':st', 'id', newStoreId, 'P', partitions, 'schema', 1, 'gen', 0, 'en', newStoreId)
  if knownGen > 0 then setGeneration(knownGen + 1) end
end

-- No lease is longer, unless the clock was set back since.
local function shortenLeases()
  local longest = now() + leaseMs
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', leases, '(' .. longest, '+inf')) do
    redis.call('ZADD', leases, longest, other)
  end
end

-- After an outage nobody is dead for a lease that ran out: all get another one. While one node is alive, the newest lease has
-- half of its time left, or more; leases end one after another, so an outage shows before the last is over.
local function pardonAfterOutage()
  local newest = tonumber(redis.call('ZREVRANGE', leases, 0, 0, 'WITHSCORES')[2] or 0)
  if newest == 0 or newest >= now() + leaseMs * 3 / 8 then return end
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', leases, '(0', '+inf')) do
    redis.call('ZADD', leases, now() + leaseMs, other)
  end
end

local function fenceExpired()
  local dead = redis.call('ZRANGEBYSCORE', leases, '(0', '(' .. now(), 'WITHSCORES')
  for index = 1, #dead, 2 do
    redis.call('HSET', K .. ':dx', dead[index], dead[index + 1], dead[index] .. '#c', 'node_lost')
    redis.call('ZADD', leases, 0, dead[index])
  end
end

local function decideOwner()
  if store.own == holder then
    if givesOwner then disown() end
  elseif store.own == '' or leaseOf(store.own) < now() then
    if wantsOwner then
      store.own = holder
      redis.call('HSET', K .. ':st', 'own', holder)
    elseif store.own ~= '' then
      disown()
    end
  end
end

local function count(list, items)
  table.insert(list, #items)
  for _, item in ipairs(items) do table.insert(list, item) end
end

local function nextExpiryOfOthers()
  local first = redis.call('ZRANGEBYSCORE', leases, '(0', '+inf', 'WITHSCORES', 'LIMIT', 0, 2)
  local isOwn = first[1] == holder
  return tonumber(first[isOwn and 4 or 2] or 0)
end

local function headsForOwner(list)
  local heads = store.own == holder and redis.call('HGETALL', K .. ':h') or {}
  table.insert(list, #heads / 2)
  for _, item in ipairs(heads) do table.insert(list, item) end
end

if store.id == '' then begin() end
local known = redis.call('HGET', K .. ':st', 'P')
if known ~= partitions then return { 'PARTITIONS', known } end
if storeId ~= '' and storeId ~= store.id then
  beginGeneration()
  return { 'EPOCH', store.id }
end

local score = redis.call('ZSCORE', leases, holder)
-- One that has written and has no lease was fenced and reaped to the end: no batch of its was lost.
local isForgotten = not score and lastAcked > 0
if isForgotten or tonumber(score or 1) == 0 then return { 'FENCED' } end
shortenLeases()
pardonAfterOutage()
redis.call('ZADD', leases, now() + leaseMs, holder)

local last = tonumber(redis.call('HGET', K .. ':b', holder) or 0)
-- What was told in writes or in a generation that the store has lost is not told with the same ids again.
if store.writes < knownWrites then
  replaceLostWrites()
elseif last < lastAcked or store.gen < knownGen then
  beginGeneration()
end
if last < lastAcked then return { 'GAP', last } end

fenceExpired()
decideOwner()
local reply = { 'OK', now(), store.id, store.gen, store.writes, nextDeadline(), store.own, nextExpiryOfOthers() }
count(reply, redis.call('ZRANGEBYSCORE', leases, '(0', '+inf'))
count(reply, redis.call('ZRANGEBYSCORE', leases, 0, 0))
headsForOwner(reply)
return reply
