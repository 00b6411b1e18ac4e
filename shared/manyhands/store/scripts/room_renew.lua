-- Renews the lease of a run that has a room, or that goes on writing to it beside others.
-- KEYS: see _session.lua and _rooms.lua
-- ARGV: 4 token
-- Returns 1, or 0 when the run was given up

if call('HGET', META, 'run') == ARGV[4] then
  call('HSET', META, 'ends', whole(NOW + LEASE))
  return 1
end
if not call('ZSCORE', DETACHED, ARGV[4]) then return 0 end
call('ZADD', DETACHED, whole(NOW + LEASE), ARGV[4])
return 1
