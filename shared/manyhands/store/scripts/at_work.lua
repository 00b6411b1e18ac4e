-- Samples the sessions of some partitions that were rung or that run, and finds the oldest doorbell. Writes nothing.
-- KEYS: bells and leases of each partition in turn. On a cluster, those of one partition; else of all at once
-- ARGV: 1 how many members of each key are wanted
-- Returns {now in ms, ms of the oldest ring or '', and of each partition that has any: {how many sessions were rung,
--          some of them, how many leases there are, how many of these were looked at, the sessions of those that were
--          not rung, each once}, ...}

local call = redis.call
local clock = call('TIME')
local oldest = false
local found = {clock[1] * 1000 + math.floor(clock[2] / 1000), ''}
for i = 1, #KEYS, 2 do
  local bells, leases = KEYS[i], KEYS[i + 1]
  local rung, held = call('ZCARD', bells), call('ZCARD', leases)
  if rung + held > 0 then
    -- A bell may name a queue behind its session, so that who was rung is known of those that are looked at.
    local ringing, seen = {}, {}
    if rung > 0 then
      for i, bell in ipairs(call('ZRANDMEMBER', bells, ARGV[1])) do
        ringing[i] = string.match(bell, '^[^ ]*')
        seen[ringing[i]] = true
      end
      local first = tonumber(call('ZRANGE', bells, 0, 0, 'WITHSCORES')[2])
      if not oldest or first < oldest then oldest = first end
    end
    local sampled, running = {}, {}
    if held > 0 then sampled = call('ZRANDMEMBER', leases, ARGV[1]) end
    for _, lease in ipairs(sampled) do
      local session = string.match(lease, '^[^ ]*')
      if not seen[session] and not call('ZSCORE', bells, session) then running[#running + 1] = session end
      seen[session] = true
    end
    found[#found + 1] = {rung, ringing, held, #sampled, running}
  end
end
if oldest then found[2] = string.format('%.0f', oldest) end
return found
