-- Reads what has changed since a version, for the detached runs of a session.
-- KEYS: see _session.lua
-- ARGV: 4 the version that is known
-- Returns nil when nothing changed and nothing is to be cancelled, else {version, {field, version, ...} or nil when more
--   changed than is remembered, the fields in these subtrees and above them or all fields, {cancelled event, ...}}
-- With: _fields

local meta = call('HMGET', META, 'ver', 'floor', 'asked')
if not meta[1] then return nil end
local cancelled = meta[3] == '1' and call('SMEMBERS', CANCELS) or {}
local known = tonumber(ARGV[4])
if tonumber(meta[1]) == known then
  if #cancelled == 0 then return nil end
  return {meta[1], {}, {}, cancelled}
end
if known < tonumber(meta[2] or 0) then return {meta[1], false, call('HGETALL', STATE), cancelled} end

-- What was touched, what lies below it, and the markers above, which say whether defaults show through.
local touched = call('ZRANGEBYSCORE', TOUCHED, '(' .. known, '+inf', 'WITHSCORES')
local fields, all, wanted = {}, call('HGETALL', STATE), {}
for i = 1, #touched, 2 do
  for _, one in ipairs(above(touched[i])) do wanted[one] = true end
end
for i = 1, #all, 2 do
  local take = wanted[all[i]]
  for j = 1, #touched, 2 do
    take = take or string.sub(all[i], 1, #touched[j]) == touched[j]
  end
  if take then
    fields[#fields + 1] = all[i]
    fields[#fields + 1] = all[i + 1]
  end
end
return {meta[1], touched, fields, cancelled}
