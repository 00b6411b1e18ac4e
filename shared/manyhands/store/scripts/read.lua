-- Reads fields of a large state; all fields where it is small. Writes nothing.
-- KEYS: see _session.lua
-- ARGV: 4 what is wanted (see _fields.lua)
-- Returns {{field, value, ...}, 1 if these are all fields}
-- With: _fields

local meta = call('HMGET', META, 'bytes', 'many')
local fields, all = read_fields(ARGV[4], meta[1], meta[2])
return {fields, all}
