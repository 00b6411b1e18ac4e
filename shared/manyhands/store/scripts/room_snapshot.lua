-- Reads, at one moment, what a browser needs to follow a room.
-- KEYS: see _session.lua and _rooms.lua
-- ARGV: 4 the last seq that the browser has seen, or ''
-- Returns {seq, {missed update, ...} or nil, all fields or nil}
-- With: _rooms

if call('EXISTS', META) == 0 then make_room() end
local seq = tonumber(call('HGET', META, 'seq'))
renew_lives(nil)
local missed = ARGV[4] ~= '' and seq - tonumber(ARGV[4])
if missed and missed >= 0 and missed <= call('LLEN', LOG) then
  return {seq, missed > 0 and call('LRANGE', LOG, -missed, -1) or {}, false}
end
return {seq, false, call('HGETALL', STATE)}
