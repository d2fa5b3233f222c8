-- me storeId max retainMs all
-- Tells what is due: members and channels whose grace is over, counts that waited. all=1: also what is not due yet. EPOCH,
-- FENCED, EXPIRED as in apply, or OK <deadlines taken> <next deadline> <writes of the store>: max of them means there may be
-- more.
local me, storeId, max, retainMs = ARGV[2], ARGV[3], math.min(tonumber(ARGV[4]), 256), ARGV[5]
local untilMs = ARGV[6] == '1' and '+inf' or now()

local function fireMember(channel, user)
  local member = readMember(channel, user)
  if member and member.holders == 0 then tellRemoved(channel, user, member.cause) end
end

local function fireVacate(channel)
  if channel.o and isEmpty(channel) then vacate(channel, channel.x or '') end
end

local function fireCount(channel)
  if channel.cl then tellLargeCount(channel, channel.cl) end
end

local fire = { m = fireMember, v = fireVacate, w = fireCount }

local refusal = refusalOf(me, storeId)
if refusal then return refusal end
local due = redis.call('ZRANGEBYSCORE', K .. ':g', '-inf', untilMs, 'LIMIT', 0, max)
if #due > 0 then countWrite() end
for _, deadline in ipairs(due) do
  local kind, app, name, user = string.match(deadline, '^(%a):([^:]+):([^:]+):?(.*)$')
  redis.call('ZREM', K .. ':g', deadline)
  fire[kind](channelOf(app, name, ''), user)
end
finishAll(retainMs)
wakeOwner()
return { 'OK', #due, nextDeadline(), store.writes }
