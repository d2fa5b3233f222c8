-- app channel
-- OK user… of those who are present.
local channel = readChannel(ARGV[2], ARGV[3], '')

local reply = { 'OK' }
if channel.m == 0 then return reply end
local fields = redis.call('HGETALL', usersKey(channel))
for index = 1, #fields, 2 do
  local isInGrace = string.sub(fields[index + 1], 1, 2) == '0|'
  if not isInGrace then reply[#reply + 1] = fields[index] end
end
return reply
