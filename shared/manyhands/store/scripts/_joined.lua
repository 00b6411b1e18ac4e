-- Which rooms a session has joined: their names in meta's field `rooms`, between single spaces. Used after _session.lua.

-- `changes`: '+name' for each room that is joined, '-name' for each that is left, between single spaces.
local function note_joined(changes)
  local joined, names = {}, {}
  for name in string.gmatch(call('HGET', META, 'rooms') or '', '%S+') do
    joined[name] = true
    names[#names + 1] = name
  end
  for sign, name in string.gmatch(changes, '([+-])(%S+)') do
    if sign == '+' and joined[name] == nil then names[#names + 1] = name end
    joined[name] = sign == '+'
  end
  local kept = {}
  for _, name in ipairs(names) do
    if joined[name] then kept[#kept + 1] = name end
  end
  call('HSET', META, 'rooms', table.concat(kept, ' '))
end
