-- Updates that say of texts only what was added to them, and the same in full. Used after _session.lua.
-- `packed`: {head, what comes before the texts, what comes after, then per text: field, SHA-1 of the field as the run knows it,
-- what names the text, its view or the number of the op that writes it}

-- Whether the texts are still what was added to. Asked before anything is written.
local function are_bases_there(packed)
  local grown = cmsgpack.unpack(packed)
  for i = 4, #grown, 4 do
    local there = call('HGET', STATE, grown[i])
    if not there or redis.sha1hex(there) ~= grown[i + 1] then return false end
  end
  return true
end

-- Gives the update in full, around its seq. `first_op`: the place of the first op in ARGV.
local function spell_out(packed, first_op)
  local grown = cmsgpack.unpack(packed)
  local parts = {grown[2]}
  for i = 4, #grown, 4 do
    local view = grown[i + 3]
    parts[#parts + 1] = grown[i + 2]
    parts[#parts + 1] = type(view) == 'number' and ARGV[first_op + 3 * view - 1] or view
  end
  parts[#parts + 1] = grown[3]
  return grown[1], table.concat(parts)
end
