-- app user…
-- OK <version> (1 or 0)…: who of them is signed in, at a version above every one that was told.
local app = ARGV[2]

local reply = { 'OK', userVersion() }
for index = 3, #ARGV do
  table.insert(reply, redis.call('HEXISTS', K .. ':s:' .. app, ARGV[index]))
end
return reply
