-- Forgets uploads that were used; unknown ones are no error.
-- KEYS: see _session.lua
-- ARGV: 4 and so on their ids
-- Returns how many there were
-- With: _large

local freed = 0
for i = 4, #ARGV do
  local one = read_held(ARGV[i])
  if one and one.kind == 'u' then
    forget(ARGV[i], one.size)
    freed = freed + 1
  end
end
return freed
