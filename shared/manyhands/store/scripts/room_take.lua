-- Takes a room for a run, or lets it stand in line; sent again with the same token, it gives the same room again.
-- KEYS: see _session.lua and _rooms.lua
-- ARGV: 4 token, 5 event that the run is an attempt at, 6 channel on which it hears that the room is its own, or '' if it
--       does not stand in line, 7 what is wanted of a large state (see _fields.lua)
-- Returns {version, 1 if the event's final commit is in, {field, value, ...}, 1 if these are all fields}, or the ms that
--   are left of another's lease
-- With: _fields _rooms

local token, event, channel = ARGV[4], ARGV[5], ARGV[6]
local meta = call('HMGET', META, 'run', 'ends', 'event', 'renew')
if not meta[1] then
  make_room()
  meta = {'', '0', ''}
end
renew_lives(meta[4])
local run, left = meta[1], tonumber(meta[2]) - NOW
local line = token .. ' ' .. channel .. ' ' .. event

local function stand_in_line()
  if channel == '' or call('LPOS', MAILBOX, line) then return end
  if call('RPUSH', MAILBOX, line) == 1 then mortal(MAILBOX) end
end

if run == token then
  call('HSET', META, 'ends', whole(NOW + LEASE))
elseif run == '' or left <= 0 or meta[3] == event then
  -- Nobody has it, or one who was given up: silent for a lease, or an earlier attempt at the same event.
  if call('EXISTS', MAILBOX) == 0 then
    give_room(token, event)
    run = token
  else
    stand_in_line()
    run = pass_on(token)
    if run == '' then
      give_room(token, event)
      run = token
    end
    left = LEASE
  end
else
  stand_in_line()
end
if run ~= token then return left end
call('LREM', MAILBOX, 0, line)
local state = call('HMGET', META, 'ver', 'bytes', 'many')
local fields, all = read_fields(ARGV[7], state[2], state[3])
return {state[1], call('ZSCORE', ENDED, event) and 1 or 0, fields, all}
