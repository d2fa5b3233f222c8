-- holder storeId batch graceMs retainMs cause nGroups group…
-- One batch of a holder's changes. EPOCH <id>, FENCED, EXPIRED, GAP <last batch>, or OK and DUP (it was applied before) with
-- the next deadline, one reply for each group, and the writes of the store.
local holder, storeId, batch = ARGV[2], ARGV[3], tonumber(ARGV[4])
local leave = { atMs = now(), graceMs = tonumber(ARGV[5]), cause = ARGV[7] }
local retainMs, cause, groups = ARGV[6], ARGV[7], tonumber(ARGV[8])
local firstGroup = 9

-- Subscriptions of a channel that were refused in this batch: the holder, who does not know it yet, counts them.
local refusedOf = {}

-- Before anything is written: a group that ends too early would leave half a batch.
local function isWellFormed()
  local at = firstGroup
  for _ = 1, groups do
    local kind = ARGV[at]
    if kind == 'c' then
      local users = tonumber(ARGV[at + 7])
      if not (users and tonumber(ARGV[at + 3]) and tonumber(ARGV[at + 5])) then return false end
      at = at + 8 + users * 4
    elseif kind == 's' or kind == 'e' then
      at = at + 5
    else
      return false
    end
  end
  return at == #ARGV + 1
end

-- The holder subscribes, with nothing yet: `setHeld` says how many.
local function channelUp(channel, cause)
  if channel.held then return end
  redis.call('SADD', K .. ':ic:' .. channel.holder, channel.id)
  setHeld(channel, 0)
  set(channel, 'n', channel.n + 1)
  if channel.n > 1 then return end
  set(channel, 'v', channel.v or store.vf)
  channel.lasts = 'for good'
  if channel.o then
    redis.call('ZREM', K .. ':g', 'v:' .. channel.id)
    set(channel, 'x', nil)
  else
    redis.call('SADD', K .. ':n:' .. channel.app, channel.name)
    tellOccupied(channel, cause)
  end
end

local function noteAdded(channel, user, info)
  channel.isTouched = true
  set(channel, 'm', channel.m + 1)
  table.insert(channel.told.added, { user, info })
end

-- One more holder has the user; `member` is what is known of it.
local function userUp(channel, user, member, info, cause)
  if member and member.holders > 0 then
    member.holders = member.holders + 1
    return writeMember(channel, user, member)
  end
  local seq
  if member then
    seq = member.seq
    redis.call('ZREM', K .. ':g', 'm:' .. channel.id .. ':' .. user)
  else
    seq = tell(channel, 'member_added', user, cause)
  end
  writeMember(channel, user, { holders = 1, seq = seq, cause = '', info = info })
  noteAdded(channel, user, info)
end

-- What happened to each user within the group: '1' came and '0' went, in this order.
local function readUsers(at, count)
  local users = {}
  for position = 0, count - 1 do
    local first = at + position * 4
    users[position + 1] = {
      position = position,
      id = ARGV[first],
      steps = ARGV[first + 1],
      max = tonumber(ARGV[first + 2]) or 0,
      info = ARGV[first + 3],
    }
  end
  return users
end

local function isFull(channel, user, member)
  return user.max > 0 and channel.m >= user.max and not (member and member.holders > 0)
end

local function goes(channel, user)
  local isHeld = redis.call('SREM', K .. ':iu:' .. holder, channel.id .. ':' .. user.id) == 1
  if isHeld then userDown(channel, user.id, leave) end
end

-- False: refused.
local function comes(channel, user)
  local member = readMember(channel, user.id)
  if isFull(channel, user, member) then return false end
  channelUp(channel, cause)
  local isNew = redis.call('SADD', K .. ':iu:' .. holder, channel.id .. ':' .. user.id) == 1
  if isNew then userUp(channel, user.id, member, user.info, cause) end
  return true
end

local function takeSteps(channel, user, refused)
  local isRefused = false
  for step in string.gmatch(user.steps, '[01]') do
    if step == '0' then
      goes(channel, user)
      isRefused = false
    elseif not comes(channel, user) then
      table.insert(refused, user.position)
      isRefused = true
    end
  end
  if isRefused then refusedOf[channel.id] = (refusedOf[channel.id] or 0) + 1 end
end

-- The channel goes and comes: first everybody who is there goes.
local function goFirst(channel, users)
  for _, user in ipairs(users) do
    if string.sub(user.steps, 1, 1) == '0' then
      goes(channel, user)
      user.steps = string.sub(user.steps, 2)
    end
  end
  channelDown(channel, leave)
end

-- Occupied before the first user is added, vacated after the last was removed. What the holder has in the end is what it
-- says, whatever it had.
local function changeChannel(at)
  local users = readUsers(at + 8, tonumber(ARGV[at + 7]))
  local said, steps, flags = tonumber(ARGV[at + 3]), ARGV[at + 4], tonumber(ARGV[at + 5])
  local channel = channelOf(ARGV[at + 1], ARGV[at + 2], holder)
  local others = channel.n - (channel.held and 1 or 0)
  local refused = {}
  if steps == '01' then goFirst(channel, users) end
  for _, user in ipairs(users) do takeSteps(channel, user, refused) end
  local subscriptions = said - (refusedOf[channel.id] or 0)
  if subscriptions > 0 or (steps == '10' and #users == 0) then channelUp(channel, cause) end
  if channel.n > 0 then set(channel, 'f', flags) end
  if subscriptions > 0 then setHeld(channel, subscriptions) else channelDown(channel, leave) end
  finish(channel, retainMs)
  local positions = #refused == 0 and '-' or table.concat(refused, ',')
  return versionOf(channel) .. ' ' .. others .. ' ' .. positions, at + 8 + #users * 4
end

local function changeSignIn(at)
  local app, user, isAnnounced = ARGV[at + 1], ARGV[at + 2], ARGV[at + 4] == '1'
  local index, entry = K .. ':is:' .. holder, app .. ':' .. user
  for step in string.gmatch(ARGV[at + 3], '[01]') do
    if step == '1' then
      if redis.call('SADD', index, entry) == 1 then signIns(app, user, 1, isAnnounced) end
    else
      if redis.call('SREM', index, entry) == 1 then signIns(app, user, -1, isAnnounced) end
    end
  end
  return '', at + 5
end

local function appendEvent(at)
  local app = ARGV[at + 1]
  if hasEndpoint(app) then
    append(app, { 'k', ARGV[at + 3], 'c', ARGV[at + 2], 't', now() .. '', 'j', ARGV[at + 4] })
  end
  return '', at + 5
end

local change = { c = changeChannel, s = changeSignIn, e = appendEvent }

local function changeAll()
  local replies, at = {}, firstGroup
  for index = 1, groups do
    replies[index], at = change[ARGV[at]](at)
  end
  return replies
end

local function savedReplies()
  local replies = {}
  if groups == 0 then return replies end
  local saved = redis.call('HGET', K .. ':r', holder) or ''
  for reply in string.gmatch(saved .. '\n', '(.-)\n') do table.insert(replies, reply) end
  return replies
end

local function answer(word, replies)
  local list = { word, nextDeadline() }
  for _, reply in ipairs(replies) do table.insert(list, reply) end
  table.insert(list, store.writes)
  return list
end

local refusal = refusalOf(holder, storeId)
if refusal then return refusal end
local last = tonumber(redis.call('HGET', K .. ':b', holder) or 0)
if batch == last then return answer('DUP', savedReplies()) end
if batch ~= last + 1 then return { 'GAP', last } end
if not isWellFormed() then return redis.error_reply('ERR a batch that is not well formed') end

countWrite()
local replies = changeAll()
redis.call('HSET', K .. ':b', holder, batch)
redis.call('HSET', K .. ':r', holder, table.concat(replies, '\n'))
wakeOwner()
return answer('OK', replies)
