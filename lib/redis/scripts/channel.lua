-- app channel
-- OK <subscriptions> <users>: zeros when nobody is there.
local channel = readChannel(ARGV[2], ARGV[3], '')

return { 'OK', channel.k, channel.m }
