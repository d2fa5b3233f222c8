-- app prefix
-- OK (channel subscriptions users)… of the channels with subscriptions whose name begins with the prefix.
local app, prefix = ARGV[2], ARGV[3]

local reply = { 'OK' }
for _, name in ipairs(redis.call('SMEMBERS', K .. ':n:' .. app)) do
  if string.sub(name, 1, #prefix) == prefix then
    local counts = redis.call('HMGET', K .. ':c:' .. app .. ':' .. name, '#k', '#m')
    local subscriptions = tonumber(counts[1] or 0)
    if subscriptions > 0 then
      table.insert(reply, name)
      table.insert(reply, subscriptions)
      table.insert(reply, tonumber(counts[2] or 0))
    end
  end
end
return reply
