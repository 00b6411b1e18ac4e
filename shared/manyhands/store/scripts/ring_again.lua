-- Rings a session again whose doorbell got lost, or whose worker has died.
-- KEYS: see _session.lua
-- ARGV: 4 a doorbell rung before this many ms is lost, then leases of the session that ran out
-- Returns the ms of the ring, or nil when there is no need

local meta = call('HMGET', META, 'id', 'run', 'rung')
local function forget()
  silence()
  return nil
end
-- A lease without a run keeps others from being found.
for i = 5, #ARGV do
  local token = string.sub(ARGV[i], #SESSION + 2)
  if token ~= meta[2] and call('HEXISTS', DETACHED, token) == 0 then call('ZREM', LEASES, ARGV[i]) end
end
if not meta[1] then
  call('ZREM', BELLS, SESSION)
  return nil
end
-- Whoever holds the turn goes on to the next event or rings.
if meta[2] ~= '' and lease_holds(meta[2]) then return forget() end
if meta[3] ~= '0' and tonumber(meta[3]) >= tonumber(ARGV[4]) then return nil end
if call('LLEN', MAILBOX) == 0 and #dead_runs() == 0 then return forget() end
return ring()
