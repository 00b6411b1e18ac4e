-- Finds sessions of some partitions whose doorbell may be lost or whose lease ran out; `ring_again` then decides.
-- KEYS: bells and leases of each partition in turn. On a cluster, those of one partition; else of all at once
-- ARGV: 1 a doorbell rung before this many ms is lost, 2 or, unless this is '', rung this many ms ago,
--       3 how many of each kind are wanted of a partition
-- Returns {ms before which doorbells are lost, member of bells or leases, ...}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local before = tonumber(ARGV[1])
if ARGV[2] ~= '' then before = math.max(before, now - tonumber(ARGV[2])) end
local found = {before}
for i = 1, #KEYS, 2 do
  local bells = redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', '(' .. string.format('%.0f', before), 'LIMIT', 0, ARGV[3])
  local leases = redis.call('ZRANGEBYSCORE', KEYS[i + 1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[3])
  for _, member in ipairs(bells) do found[#found + 1] = member end
  for _, member in ipairs(leases) do found[#found + 1] = member end
end
return found
