-- Rings a session again whose doorbell got lost, or whose worker has died.
-- KEYS: see _session.lua
-- ARGV: 4 a doorbell rung before this many ms is lost, 5 how many bells of the session were found, these bells, then
--       its leases that ran out
-- Returns {ms of the ring, queue}, or nil when there is no need
-- With: _letters _turns

local meta = call('HMGET', META, 'id', 'run', 'rung', 'loose')
local bells = tonumber(ARGV[5])
-- A bell or a lease that nobody knows of keeps others from being found.
for i = 6, 5 + bells do
  if not meta[1] or meta[3] == '0' or ARGV[i] ~= bell_of(string.match(meta[3], ' (.*)') or '') then
    call('ZREM', BELLS, ARGV[i])
  end
end
for i = 6 + bells, #ARGV do
  local token = string.sub(ARGV[i], #SESSION + 2)
  if token ~= meta[2] and call('HEXISTS', DETACHED, token) == 0 then call('ZREM', LEASES, ARGV[i]) end
end
if not meta[1] then return nil end
-- Whoever holds the turn goes on to the next event or rings.
if meta[2] ~= '' and lease_holds(meta[2]) then
  silence(meta[3])
  return nil
end
if meta[3] ~= '0' and tonumber(string.match(meta[3], '^%d+')) >= tonumber(ARGV[4]) then return nil end
local dead = dead_runs(meta[4])
silence(meta[3])
if call('LLEN', MAILBOX) == 0 and #dead == 0 then return nil end
local queue = next_queue(dead)
return {ring(queue), queue}
