-- Encoded paths. Used after _session.lua.

-- The encoded paths above a field: a field is a chain of msgpack strings.
local function above(field)
  local found, at = {}, 1
  while at <= #field do
    local byte, length = string.byte(field, at), nil
    if byte < 0xc0 then length = 1 + byte - 0xa0
    elseif byte == 0xd9 then length = 2 + string.byte(field, at + 1)
    elseif byte == 0xda then length = 3 + struct.unpack('>I2', string.sub(field, at + 1, at + 2))
    else length = 5 + struct.unpack('>I4', string.sub(field, at + 1, at + 4)) end
    at = at + length
    if at <= #field then found[#found + 1] = string.sub(field, 1, at - 1) end
  end
  return found
end

-- The fields below one. `indexed`: whether the state has an index; looking for them without one costs all fields.
local function below(field, indexed)
  -- What follows within a subtree begins with the header of a msgpack string.
  if indexed then return call('ZRANGEBYLEX', INDEX, '[' .. field .. '\160', '(' .. field .. '\220') end
  local found, length = {}, #field
  for _, one in ipairs(call('HKEYS', STATE)) do
    if #one > length and string.sub(one, 1, length) == field then found[#found + 1] = one end
  end
  return found
end

-- Bytes of all fields and their values up to which a state without an index is read as a whole.
local SMALL = 65536

local function is_small(bytes, many)
  return many ~= '1' and tonumber(bytes or 0) <= SMALL
end

-- The fields that are named, as far as they are there: {field, value, field, value ...}
local function read_all(names)
  local found = {}
  for from = 1, #names, 1000 do
    local to = math.min(from + 999, #names)
    for i, value in ipairs(call('HMGET', STATE, unpack(names, from, to))) do
      if value then
        found[#found + 1] = names[from + i - 1]
        found[#found + 1] = value
      end
    end
  end
  return found
end

-- Reads a state: all of it where it is small, else what is wanted, which is '' or the msgpack of {fields, fields of which
-- all below is wanted}. `bytes` and `many`: of meta. Gives {field, value, ...}, and 1 if these are all fields, else 0.
local function read_fields(wanted, bytes, many)
  if is_small(bytes, many) then return call('HGETALL', STATE), 1 end
  if wanted == '' then return {}, 0 end
  local names, subtrees = unpack(cmsgpack.unpack(wanted))
  for _, field in ipairs(subtrees) do
    for _, one in ipairs(below(field, many == '1')) do names[#names + 1] = one end
  end
  return read_all(names), 0
end
