-- Finds sessions of some partitions whose doorbell may be lost or whose lease ran out; `ring_again` then decides.
-- KEYS: bells and leases of each partition in turn. On a cluster, those of one partition; else of all at once
-- ARGV: 1 rung this many ms ago, a doorbell is lost, or '', 2 how many of each kind are wanted of a partition, then per
--       queue that the caller serves: its name, and the ms before which its doorbells are lost
-- Returns {{ms before which doorbells are lost of the first queue, ...}, {member of bells, ...}, {member of leases, ...}}

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- Bells of queues that others serve may lie before those that are looked for.
local LOOKED_AT = 1000
local before, list, latest, wanted = {}, {}, 0, tonumber(ARGV[2])
for i = 3, #ARGV, 2 do
  local ms = tonumber(ARGV[i + 1])
  if ARGV[1] ~= '' then ms = math.max(ms, now - tonumber(ARGV[1])) end
  before[ARGV[i]], list[#list + 1], latest = ms, ms, math.max(latest, ms)
end
local overdue, ended = {}, {}
for i = 1, #KEYS, 2 do
  local bells = redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', '(' .. string.format('%.0f', latest), 'WITHSCORES',
    'LIMIT', 0, LOOKED_AT)
  local found = 0
  for j = 1, #bells, 2 do
    local lost = before[string.match(bells[j], ' (.*)') or '']
    if lost and tonumber(bells[j + 1]) < lost and found < wanted then
      found = found + 1
      overdue[#overdue + 1] = bells[j]
    end
  end
  local leases = redis.call('ZRANGEBYSCORE', KEYS[i + 1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[2])
  for _, member in ipairs(leases) do ended[#ended + 1] = member end
end
return {list, overdue, ended}
