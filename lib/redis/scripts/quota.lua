-- holder app used want limit
-- OK <share> <others>: the holder's share of the app's connections is at least what it uses, at most what it wants, and
-- all shares together are within the limit unless more is in use; others: the shares of all other holders. used and want 0:
-- the holder gives its share back. A holder without a lease: FENCED.
-- Nothing granted while others have shares: they are asked, at most once a second, to give back what they do not use.
local holder, app = ARGV[2], ARGV[3]
local used, want, limit = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local shares, apps = K .. ':q:' .. app, K .. ':qa:' .. holder

local function giveBack()
  redis.call('HDEL', shares, holder)
  redis.call('SREM', apps, app)
end

-- Holders that are gone for good leave nothing; those that are fenced do not count.
local function sharesOfOthers()
  local sum = 0
  local fields = redis.call('HGETALL', shares)
  for index = 1, #fields, 2 do
    local other = fields[index]
    local expiry = redis.call('ZSCORE', K .. ':lease', other)
    if not expiry then
      redis.call('HDEL', shares, other)
    elseif other ~= holder and tonumber(expiry) > 0 then
      sum = sum + tonumber(fields[index + 1])
    end
  end
  return sum
end

if want == 0 and used == 0 then
  giveBack()
  return { 'OK', 0, 0 }
end
if leaseOf(holder) == 0 then return { 'FENCED' } end
local others = sharesOfOthers()
local share = math.max(used, math.min(want, limit - others))
if share > 0 then
  redis.call('SADD', apps, app)
  redis.call('HSET', shares, holder, share)
else
  giveBack()
end
if share == used and want > used and others > 0 then
  if redis.call('SET', K .. ':qt:' .. app, '1', 'NX', 'PX', 1000) then publish('sys', 'q' .. app) end
end
return { 'OK', share, others }
