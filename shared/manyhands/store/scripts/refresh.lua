-- Reads what has changed since a version, for the detached runs of a session.
-- KEYS: see _session.lua
-- ARGV: 4 the version that is known
-- Returns nil when nothing changed and nothing is to be cancelled, else {version, {field, version, ...} or nil when more
--   changed than is remembered, {field, value, ...}, {cancelled event, ...}, 1 if these are all fields}. If they are not
--   all, they are those in the subtrees that changed and above them, or none when more changed than is remembered
-- With: _fields

local meta = call('HMGET', META, 'ver', 'floor', 'asked', 'bytes', 'many')
if not meta[1] then return nil end
local cancelled = meta[3] == '1' and call('SMEMBERS', CANCELS) or {}
local known = tonumber(ARGV[4])
if tonumber(meta[1]) == known then
  if #cancelled == 0 then return nil end
  return {meta[1], {}, {}, cancelled, 0}
end
local touched = false
if known >= tonumber(meta[2] or 0) then
  touched = call('ZRANGEBYSCORE', TOUCHED, '(' .. known, '+inf', 'WITHSCORES')
end
if not touched or is_small(meta[4], meta[5]) then
  local fields, all = read_fields('', meta[4], meta[5])
  return {meta[1], touched, fields, cancelled, all}
end

-- What was touched, what lies below it, and the markers above, which say whether defaults show through.
local wanted, seen = {}, {}
local function want(names)
  for _, one in ipairs(names) do
    if not seen[one] then wanted[#wanted + 1] = one end
    seen[one] = true
  end
end
for i = 1, #touched, 2 do
  want(above(touched[i]))
  want({touched[i]})
  want(below(touched[i], meta[5] == '1'))
end
return {meta[1], touched, read_all(wanted), cancelled, 0}
