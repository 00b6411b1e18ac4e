-- Renews leases that are still held.
-- KEYS: 1 leases of a partition
-- ARGV: 1 length of a lease in ms, 2 life of the key in ms, then 'session token' of each run
-- Returns {1 or 0, ...}: 0 for a run that was given up

local clock = redis.call('TIME')
local ends = clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(ARGV[1])
local held = {}
for i = 3, #ARGV do
  held[#held + 1] = redis.call('ZSCORE', KEYS[1], ARGV[i]) and 1 or 0
  if held[#held] == 1 then redis.call('ZADD', KEYS[1], string.format('%.0f', ends), ARGV[i]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return held
