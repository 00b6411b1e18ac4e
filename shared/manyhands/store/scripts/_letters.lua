-- Reading letters. Used after _session.lua.

-- n, client, body and queue of a letter.
local function read_letter(letter)
  local n, queue, client = struct.unpack('>I8BI2', string.sub(letter, 2, 12))
  local from = 12 + queue
  return n, string.sub(letter, from + 1, from + client), string.sub(letter, from + client + 1), string.sub(letter, 13, from)
end

local function queue_of(letter)
  return string.sub(letter, 13, 12 + string.byte(letter, 10))
end

-- How a ring is noted among the bells, and in meta.
local function bell_of(queue)
  return queue == '' and SESSION or SESSION .. ' ' .. queue
end

local function rung_at(queue)
  return queue == '' and whole(NOW) or whole(NOW) .. ' ' .. queue
end

local function event_key(client, n)
  return struct.pack('>I8', n) .. client
end
