-- Takes a session's turn for its next event. Detached runs whose worker has died come first, then the mailbox. Sent again
-- with the same token, because its answer got lost, it gives the same turn.
-- KEYS: see _session.lua
-- ARGV: 4 token of the new run
-- Returns a turn (see begin_first in _session.lua), or nil when another run holds the turn or nothing waits

local meta = call('HMGET', META, 'id', 'run', 'renew')
if not meta[1] then return nil end
silence()

local run = meta[2]
if run == ARGV[4] then return begin_first(run, '') end
if run ~= '' then
  if lease_holds(run) then return nil end
  -- Its worker has died: from here on its commits are refused, and its event begins again.
  call('ZREM', LEASES, lease_of(run))
  call('HSET', META, 'run', '')
  local letter = call('LINDEX', MAILBOX, 0)
  if letter then call('LSET', MAILBOX, 0, lost_once_more(letter)) end
end

local dead = dead_runs()
for i = #dead, 1, -1 do
  local token, letter = dead[i][1], dead[i][2]
  call('HDEL', DETACHED, token)
  call('ZREM', LEASES, lease_of(token))
  call('LPUSH', MAILBOX, lost_once_more(letter))
end
if #dead > 0 then
  mortal(MAILBOX)
  tidy_detached()
end

if call('LLEN', MAILBOX) == 0 then return nil end
renew_lives(meta[3])
return begin_first(ARGV[4], '')
