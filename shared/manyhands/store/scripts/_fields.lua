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
