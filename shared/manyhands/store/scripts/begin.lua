-- Takes a session's turn for its next event. Detached runs whose worker has died come first, then the mailbox. Sent again
-- with the same token, because its answer got lost, it gives the same turn.
-- KEYS: see _session.lua
-- ARGV: 4 token of the new run, 5 '1' if its handler begins at once, 6 '1' if the caller knows what the session was
--       created with, 7 the queues that the caller serves, between single spaces, or '' for any, 8 what it wants of
--       a large state (see _fields.lua)
-- Returns a turn (see _begin.lua), or {queue, ms of the ring} where another queue's workers must be rung, or nil when
--   another run holds the turn or nothing waits
-- With: _letters _turns _fields _begin

local meta = call('HMGET', META, 'id', 'run', 'renew', 'rung', 'began', 'fence', 'ver', 'loose', 'asked', 'bytes',
  'many', 'defaults', 'version', 'arrow')
if not meta[1] then return nil end
silence(meta[4])

local function begin_under(token)
  local known = {meta[6], meta[7], meta[8], meta[9], meta[10], meta[11], meta[12], meta[13], meta[14]}
  return begin_first(token, '', ARGV[6] == '1', ARGV[5] == '1', ARGV[8], known)
end

local run = meta[2]
if run == ARGV[4] then return begin_under(run) end
if run ~= '' then
  if lease_holds(run) then return nil end
  -- Its worker has died: from here on its commits are refused, and its event begins again.
  call('ZREM', LEASES, lease_of(run))
  call('HSET', META, 'run', '')
  local letter = call('LINDEX', MAILBOX, 0)
  -- A run that waited in its worker for other sessions' events has done nothing, and is no attempt.
  if letter and meta[5] == run then call('LSET', MAILBOX, 0, lost_once_more(letter)) end
end

local dead = dead_runs(meta[8])
for i = #dead, 1, -1 do
  local token, letter = dead[i][1], dead[i][2]
  call('HDEL', DETACHED, token)
  call('ZREM', LEASES, lease_of(token))
  call('LPUSH', MAILBOX, lost_once_more(letter))
end
if #dead > 0 then
  mortal(MAILBOX)
  count_detached()
  meta[8] = call('HGET', META, 'loose')
end

local first = call('LINDEX', MAILBOX, 0)
if not first then return nil end
renew_lives(meta[3])
local queue = queue_of(first)
if ARGV[7] ~= '' and not string.find(ARGV[7], ' ' .. queue .. ' ', 1, true) then return {queue, ring(queue)} end
return begin_under(ARGV[4])
