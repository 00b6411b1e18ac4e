-- How a turn begins. Used after _turns.lua and _fields.lua.

-- Letters, and their bytes, that a worker gets beyond the first.
local LETTERS_AHEAD, BYTES_AHEAD = 15, 262144

local function is_cancelled(letter)
  local n, client = read_letter(letter)
  return call('SISMEMBER', CANCELS, event_key(client, n)) == 1
end

-- Begins the first letter of the mailbox under a token. `known`: the version of the fields that the caller has; `brief`:
-- whether it knows what the session was created with; `began`: whether the handler begins at once; `wanted`: what it wants
-- of a large state; `meta`: fence, ver, loose, asked, bytes, many, defaults, version, arrow.
local function begin_first(token, known, brief, began, wanted, meta)
  -- While runs are detached, each event is to see what they write meanwhile.
  local alone = not meta[3] or meta[3] == '0'
  local letters = call('LRANGE', MAILBOX, 0, alone and LETTERS_AHEAD or 0)
  local first, size, ahead = letters[1], 0, {}
  local n, client, body, queue = read_letter(first)
  for i = 2, #letters do
    size = size + #letters[i]
    -- One that was lost before begins in a batch of its own.
    if string.byte(letters[i]) > 0 or size > BYTES_AHEAD or queue_of(letters[i]) ~= queue then break end
    -- Nor does the worker begin what it would have to ask for.
    if meta[4] == '1' and is_cancelled(letters[i]) then break end
    ahead[#ahead + 1] = letters[i]
  end
  local fence = tonumber(meta[1]) + 1
  if began then
    call('HSET', META, 'fence', fence, 'run', token, 'taken', #ahead + 1, 'began', token)
  else
    call('HSET', META, 'fence', fence, 'run', token, 'taken', #ahead + 1)
  end
  take_lease(token)
  local fields, all, cancelled = false, 1, 0
  if meta[2] ~= known then fields, all = read_fields(wanted, meta[5], meta[6]) end
  if meta[4] == '1' then cancelled = call('SISMEMBER', CANCELS, event_key(client, n)) end
  local about = not brief and {meta[7], meta[8], call('GET', INFO)}
  return {fence, string.byte(first) + 1, client, whole(n), body, meta[2], about, cancelled, fields, ahead, queue,
    all, meta[9] or false}
end
