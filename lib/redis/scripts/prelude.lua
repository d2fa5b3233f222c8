local PUBLISH = 'PUBLISH'
-- Stands before every script (docs/cluster.md). KEYS[1] is the partition, from which every other key is made; ARGV[1] is how
-- many milliseconds the clock of specs is ahead. Whoever appends to the outbox calls `wakeOwner` at the end, whoever changes
-- a channel calls `finish` for it.
local K = KEYS[1]

local time = redis.call('TIME')
local nowMs = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]

local function now()
  return nowMs
end

local function publish(topic, message)
  redis.call(PUBLISH, K .. ':t:' .. topic, message)
end

-- The partition itself, and who may write to it ---------------------------------------------------------------------

local function readStore()
  local field = redis.call('HMGET', K .. ':st', 'id', 'gen', 'own', 'vf', 'uv', 'w', 'en', 'ex', 'rx')
  return {
    id = field[1] or '',
    gen = tonumber(field[2] or 0),
    own = field[3] or '',
    vf = tonumber(field[4] or 0),
    uv = tonumber(field[5] or 0),
    writes = tonumber(field[6] or 0),
    -- Of epochs: no other generation has it, of those neither that were lost.
    epochs = field[7] or field[1] or '',
    epoch = tonumber(field[8] or 0),
    -- Until then nodes may come to tell what a store that lost something does not know.
    reconcilesUntilMs = tonumber(field[9] or 0),
  }
end

local store = readStore()
-- No version was ever higher in an earlier generation.
local floorOfGeneration = store.gen * 67108864

-- Once for each script that changes what is held or told, before it does: a store that has fewer than it had has lost some.
local function countWrite()
  store.writes = redis.call('HINCRBY', K .. ':st', 'w', 1)
end

-- When the holder's lease runs out; 0: fenced, or it has none.
local function leaseOf(holder)
  return tonumber(redis.call('ZSCORE', K .. ':lease', holder) or 0)
end

-- Nothing when the holder may write, otherwise what it is answered.
local function refusalOf(holder, storeId)
  if store.id ~= storeId then return { 'EPOCH', store.id } end
  local expiry = leaseOf(holder)
  if expiry == 0 then return { 'FENCED' } end
  if expiry < now() then return { 'EXPIRED' } end
end

local function owns(holder)
  return store.own == holder and leaseOf(holder) >= now()
end

local function disown()
  redis.call('HDEL', K .. ':st', 'own')
  store.own = ''
  publish('sys', 'o')
end

local function heldBy(holder)
  local count = 0
  for _, index in ipairs({ ':iu:', ':ic:', ':is:' }) do
    count = count + redis.call('SCARD', K .. index .. holder)
  end
  return count
end

-- Nothing of a holder is left that holds nothing any more.
local function forgetHolder(holder)
  local apps = K .. ':qa:' .. holder
  for _, app in ipairs(redis.call('SMEMBERS', apps)) do
    redis.call('HDEL', K .. ':q:' .. app, holder)
  end
  redis.call('DEL', apps)
  redis.call('HDEL', K .. ':b', holder)
  redis.call('HDEL', K .. ':r', holder)
  redis.call('HDEL', K .. ':dx', holder, holder .. '#c')
  redis.call('ZREM', K .. ':lease', holder)
end

-- 0: there is none.
local function nextDeadline()
  local first = redis.call('ZRANGE', K .. ':g', 0, 0, 'WITHSCORES')
  return tonumber(first[2] or 0)
end

-- The outbox --------------------------------------------------------------------------------------------------------

local endpointOf = {}
local appended = { apps = {}, heads = {}, bytes = {} }

local function hasEndpoint(app)
  if endpointOf[app] == nil then endpointOf[app] = redis.call('SISMEMBER', K .. ':ea', app) == 1 end
  return endpointOf[app]
end

-- What an entry takes, about. `fields` as in the stream: name, value, name, value, …
local function bytesOf(fields)
  local bytes = 32
  for index = 2, #fields, 2 do bytes = bytes + #fields[index] end
  return bytes
end

-- Values are texts. The number of the entry goes up by one at a time: what was appended is known from the head alone.
local function append(app, fields)
  local head = redis.call('HINCRBY', K .. ':h', app, 1)
  redis.call('XADD', K .. ':o:' .. app, head .. '-0', unpack(fields))
  if appended.heads[app] == nil then table.insert(appended.apps, app) end
  appended.heads[app] = head
  appended.bytes[app] = (appended.bytes[app] or 0) + bytesOf(fields)
end

-- One message for all that the script appended.
local function wakeOwner()
  if #appended.apps == 0 then return end
  local words = {}
  for _, app in ipairs(appended.apps) do
    redis.call('HINCRBY', K .. ':ob', app, appended.bytes[app])
    table.insert(words, app)
    table.insert(words, appended.heads[app])
  end
  publish('wake', table.concat(words, ' '))
end

-- Not one after another from 1: those that a store has lost without anybody knowing are not given again.
local function newEpoch(mark)
  store.epoch = math.max(store.epoch + 1, now())
  redis.call('HSET', K .. ':st', 'ex', store.epoch)
  return store.epochs .. '.' .. store.gen .. '-' .. mark .. store.epoch
end

-- Channels ----------------------------------------------------------------------------------------------------------
-- Who changes a channel takes it from `channelOf` and has it written by `finish`; `set` notes what is to be written. Its fields
-- have the names of the hash, without the '#'; `held` is what the holder this script is about has subscribed, `told` what
-- subscribers know.

local channels, channelById = {}, {}
local fieldNames = { 'n', 'k', 'm', 's', 'f', 'v', 'g', 'o', 'ct', 'cl', 'e', 'x' }
local hashNames = { '#n', '#k', '#m', '#s', '#f', '#v', '#g', '#o', '#ct', '#cl', '#e', '#x' }
local firstText = 11

local function readChannel(app, name, holder)
  local id = app .. ':' .. name
  local key = K .. ':c:' .. id
  local values = redis.call('HMGET', key, holder, unpack(hashNames))
  local channel = { app = app, name = name, id = id, key = key, holder = holder, n = 0, k = 0, m = 0, s = 0, f = 0 }
  for index, field in ipairs(fieldNames) do
    local value = values[index + 1]
    if value then channel[field] = index < firstText and tonumber(value) or value end
  end
  channel.held = values[1] and tonumber(values[1]) or nil
  channel.isNew = channel.v == nil
  channel.changed = {}
  channel.told = { count = channel.k, removed = {}, added = {} }
  return channel
end

-- Of a channel that is not known: above every version of those that were forgotten, perhaps it is one of them.
local function versionOf(channel)
  return math.max(channel.v or store.vf, floorOfGeneration)
end

local function set(channel, field, value)
  if channel[field] == value then return end
  channel[field] = value
  channel.changed[field] = true
end

local function setHeld(channel, subscriptions)
  set(channel, 'k', channel.k - (channel.held or 0) + (subscriptions or 0))
  channel.held = subscriptions
  channel.isHeldChanged = true
end

-- To those outside: the next lifecycle event of the channel. Answers its seq, which is given whether or not anybody asks.
-- What was told of it before may be lost, and contradict it: then it has a cause.
local function tell(channel, kind, user, cause)
  set(channel, 's', channel.s + 1)
  if cause == '' and now() < store.reconcilesUntilMs then cause = 'reconciled' end
  if hasEndpoint(channel.app) then
    local fields = { 'k', kind, 'c', channel.name, 't', now() .. '', 'e', channel.e, 's', channel.s .. '' }
    if user then
      table.insert(fields, 'u')
      table.insert(fields, user)
    end
    if cause ~= '' then
      table.insert(fields, 'x')
      table.insert(fields, cause)
    end
    append(channel.app, fields)
  end
  return channel.s
end

-- It comes before everything else that is told of the channel. In each generation an epoch begins with it: what was told at
-- the end of the one before may be lost here, and its ids are not given again.
local function tellOccupied(channel, cause)
  if channel.g ~= store.gen then
    set(channel, 'e', newEpoch(''))
    set(channel, 'g', store.gen)
    set(channel, 's', 0)
  end
  set(channel, 'o', tell(channel, 'channel_occupied', nil, cause))
end

-- Users of a presence channel ---------------------------------------------------------------------------------------
-- A user is in the hash exactly while "added" is what was told last.

local function memberOf(text)
  local holders, seq, cause, info = string.match(text, '^(%d+)|(%d+)|([^|]*)|(.*)$')
  return { holders = tonumber(holders), seq = tonumber(seq), cause = cause, info = info }
end

local function usersKey(channel)
  return K .. ':u:' .. channel.id
end

local function readMember(channel, user)
  local text = redis.call('HGET', usersKey(channel), user)
  return text and memberOf(text) or nil
end

local function writeMember(channel, user, member)
  local text = table.concat({ member.holders, member.seq, member.cause, member.info }, '|')
  redis.call('HSET', usersKey(channel), user, text)
end

-- Those of whom "added" was told last, in the order of it.
local function toldMembers(channel)
  local members = {}
  local fields = redis.call('HGETALL', usersKey(channel))
  for index = 1, #fields, 2 do
    local member = memberOf(fields[index + 1])
    member.user = fields[index]
    table.insert(members, member)
  end
  table.sort(members, function(a, b) return a.seq < b.seq end)
  return members
end

local function tellRemoved(channel, user, cause)
  redis.call('HDEL', usersKey(channel), user)
  tell(channel, 'member_removed', user, cause)
end

-- For subscribers: one who came and went since the last announcement was never seen.
local function noteRemoved(channel, user)
  channel.isTouched = true
  set(channel, 'm', channel.m - 1)
  for index, added in ipairs(channel.told.added) do
    if added[1] == user then return table.remove(channel.told.added, index) end
  end
  table.insert(channel.told.removed, user)
end

-- Nobody is there: who is still in grace is told removed first.
local function vacate(channel, cause)
  for _, member in ipairs(toldMembers(channel)) do
    redis.call('ZREM', K .. ':g', 'm:' .. channel.id .. ':' .. member.user)
    tellRemoved(channel, member.user, member.cause)
  end
  tell(channel, 'channel_vacated', nil, cause)
  set(channel, 'o', nil)
  set(channel, 'x', nil)
  redis.call('SREM', K .. ':n:' .. channel.app, channel.name)
  channel.lasts = 'while retained'
end

local function isEmpty(channel)
  return channel.n == 0 and channel.m == 0
end

-- When the last holder or the last user goes, whoever is later. `leave` is what happens to those who go:
-- { atMs, graceMs, cause }.
local function armVacate(channel, leave)
  if channel.o == nil or not isEmpty(channel) then return end
  if leave.graceMs == 0 then return vacate(channel, leave.cause) end
  set(channel, 'x', leave.cause)
  redis.call('ZADD', K .. ':g', leave.atMs + leave.graceMs, 'v:' .. channel.id)
end

-- One holder has the user no longer.
local function userDown(channel, user, leave)
  local member = readMember(channel, user)
  if member == nil or member.holders == 0 then return end
  member.holders = member.holders - 1
  if member.holders > 0 then return writeMember(channel, user, member) end
  noteRemoved(channel, user)
  if leave.graceMs == 0 then
    tellRemoved(channel, user, leave.cause)
  else
    member.cause = leave.cause
    writeMember(channel, user, member)
    redis.call('ZADD', K .. ':g', leave.atMs + leave.graceMs, 'm:' .. channel.id .. ':' .. user)
  end
  armVacate(channel, leave)
end

local function channelDown(channel, leave)
  if not channel.held then return end
  redis.call('SREM', K .. ':ic:' .. channel.holder, channel.id)
  setHeld(channel, nil)
  set(channel, 'n', channel.n - 1)
  armVacate(channel, leave)
end

-- What was told in an earlier generation is told anew, those in grace included: their removal follows.
local function tellAnew(channel)
  tellOccupied(channel, 'reconciled')
  for _, member in ipairs(toldMembers(channel)) do
    member.seq = tell(channel, 'member_added', member.user, 'reconciled')
    writeMember(channel, member.user, member)
  end
end

-- Read once, for whoever changes it.
local function channelOf(app, name, holder)
  local id = app .. ':' .. name
  if channelById[id] == nil then
    local channel = readChannel(app, name, holder)
    channelById[id] = channel
    table.insert(channels, channel)
    if channel.o and channel.g ~= store.gen then tellAnew(channel) end
  end
  return channelById[id]
end

-- Counts of subscriptions -------------------------------------------------------------------------------------------

local function tellCount(channel, count)
  if not hasEndpoint(channel.app) then return end
  local json = '{"id":"' .. newEpoch('x') .. '","subscriptionCount":' .. count .. '}'
  append(channel.app, { 'k', 'subscription_count', 'c', channel.name, 't', now() .. '', 'j', json })
end

local function tellLargeCount(channel, count)
  set(channel, 'cl', nil)
  set(channel, 'ct', now())
  tellCount(channel, count)
end

-- Up to 100 every change is told, of larger channels at most one in 5 s, and the last one always.
local function throttleCount(channel)
  local deadline = 'w:' .. channel.id
  if channel.k > 100 and channel.ct and now() < channel.ct + 5000 then
    set(channel, 'cl', channel.k)
    redis.call('ZADD', K .. ':g', channel.ct + 5000, deadline)
  elseif channel.k > 100 then
    tellLargeCount(channel, channel.k)
  else
    if channel.cl then redis.call('ZREM', K .. ':g', deadline) end
    set(channel, 'cl', nil)
    tellCount(channel, channel.k)
  end
end

-- The end of a change -----------------------------------------------------------------------------------------------

local function announce(channel)
  set(channel, 'v', versionOf(channel) + 1)
  local told = { v = channel.v, r = channel.told.removed, a = channel.told.added }
  if channel.f % 2 == 1 then told.c = channel.k end
  publish('c:' .. channel.id, 'm' .. cjson.encode(told))
end

local function save(channel, retainMs)
  local values, gone = {}, {}
  for field in pairs(channel.changed) do
    if channel[field] == nil then
      table.insert(gone, '#' .. field)
    else
      table.insert(values, '#' .. field)
      table.insert(values, channel[field])
    end
  end
  if channel.isHeldChanged then
    table.insert(channel.held and values or gone, channel.holder)
    if channel.held then table.insert(values, channel.held) end
  end
  if #values > 0 then redis.call('HSET', channel.key, unpack(values)) end
  if #gone > 0 then redis.call('HDEL', channel.key, unpack(gone)) end
  if channel.lasts == 'while retained' then redis.call('PEXPIRE', channel.key, retainMs) end
  if channel.lasts == 'for good' and not channel.isNew then redis.call('PERSIST', channel.key) end
end

-- What changed makes one version and one announcement, and is written; whoever needs the channel again reads it.
local function finish(channel, retainMs)
  local isCountChanged = channel.k ~= channel.told.count
  if channel.isTouched or (isCountChanged and channel.f % 2 == 1) then announce(channel) end
  if isCountChanged and channel.f >= 2 then throttleCount(channel) end
  if channel.n == 0 and (channel.v or 0) > store.vf then
    store.vf = channel.v
    redis.call('HSET', K .. ':st', 'vf', channel.v)
  end
  save(channel, retainMs)
  channelById[channel.id] = nil
end

local function finishAll(retainMs)
  for _, channel in ipairs(channels) do finish(channel, retainMs) end
end

-- Signed-in users ---------------------------------------------------------------------------------------------------

local function userVersion()
  return math.max(store.uv, floorOfGeneration)
end

-- `by` 1 or -1: one more or one fewer holder has the user signed in.
local function signIns(app, user, by, isAnnounced)
  local key = K .. ':s:' .. app
  local holders = redis.call('HINCRBY', key, user, by)
  if holders == 0 then redis.call('HDEL', key, user) end
  if holders ~= math.max(by, 0) then return end
  store.uv = userVersion() + 1
  redis.call('HSET', K .. ':st', 'uv', store.uv)
  if isAnnounced then publish('sys', 'u' .. cjson.encode({ a = app, u = user, o = math.max(by, 0), v = store.uv })) end
end
