-- Writes what a run has assigned in a room, sends the room's update, and gives the room up where the run is done with it.
-- Before the commit of the run's session: should the worker die in between, the event is run again, and writes nothing here.
-- KEYS: see _session.lua and _rooms.lua
-- ARGV: 4 token, 5 k, 6 ending (partial, detach, final, return), 7 and 8 the update around its seq ('' and '': none),
--       9 channel, 10 event to remember, or '', 11 entries and 12 bytes of the log, 13 paths remembered for runs that go
--       on beside others, 14 events remembered at least, 15 ms for which up to ten times as many are, then per op: kind,
--       field, value (see fields.py)
-- Returns {seq or 0, version}, {'lost'} when the run was given up, or {'missing', digest, ...} where it refers to large
--   values that are not here; then it has written nothing
-- With: _updates _fields _large _writes _rooms

local FIRST_OP = 16
local token, k, ending, event = ARGV[4], ARGV[5], ARGV[6], ARGV[10]
local meta = call('HMGET', META, 'run', 'ver', 'seq', 'logged', 'renew', 'bytes', 'many')
if not meta[2] then return {'lost'} end

-- A repeated commit, sent again because its answer got lost, gets the same answer and writes nothing.
local last_k, last_seq, last_version = string.match(call('HGET', ANSWERS, token) or '', '^(%d+) (%d+) (%d+)$')
if last_k == k then return {tonumber(last_seq), last_version} end

local has_room = meta[1] == token
if not has_room and not call('ZSCORE', DETACHED, token) then return {'lost'} end
local drops = event ~= '' and call('ZSCORE', ENDED, event)

local missing = missing_references(FIRST_OP)
if #missing > 1 then return missing end

local version = meta[2]
if #ARGV >= FIRST_OP and not drops then
  version = whole(tonumber(version) + 1)
  begin_writes(meta[6], meta[7])
  write_ops(FIRST_OP, call('EXISTS', DETACHED) == 1 and version, tonumber(ARGV[13]))
  end_writes()
end
local seq = 0
if ARGV[7] ~= '' and not drops then
  seq = tonumber(meta[3]) + 1
  local logged = send(seq, ARGV[7], ARGV[8], ARGV[9], tonumber(meta[4]), tonumber(ARGV[11]), tonumber(ARGV[12]))
  call('HSET', META, 'seq', whole(seq), 'logged', logged)
end
call('HSET', META, 'ver', version)
renew_lives(meta[5])

call('HSET', ANSWERS, token, k .. ' ' .. whole(seq) .. ' ' .. version)
if call('HLEN', ANSWERS) > 256 then
  for _, one in ipairs(call('HKEYS', ANSWERS)) do
    if one ~= token and not call('ZSCORE', DETACHED, one) then call('HDEL', ANSWERS, one) end
  end
end
call('PEXPIRE', ANSWERS, whole(math.min(60000, LIFE)))

if ending == 'detach' and has_room then
  if call('EXISTS', DETACHED) == 0 then call('HSET', META, 'floor', version) end
  call('ZADD', DETACHED, whole(NOW + LEASE), token)
  mortal(DETACHED)
elseif ending == 'final' or ending == 'return' then
  forget_run(token)
end
if ending == 'final' and event ~= '' then
  call('ZADD', ENDED, whole(NOW), event)
  local count, kept = call('ZCARD', ENDED), tonumber(ARGV[14])
  if count > kept then
    -- Where many are written in a short time, none is forgotten that may still be run again.
    local old = call('ZCOUNT', ENDED, '-inf', whole(NOW - tonumber(ARGV[15])))
    local over = math.max(math.min(count - kept, old), count - 10 * kept)
    if over > 0 then call('ZREMRANGEBYRANK', ENDED, 0, over - 1) end
  end
  mortal(ENDED)
end
if has_room and ending ~= 'partial' then pass_on('') end
return {seq, version}
