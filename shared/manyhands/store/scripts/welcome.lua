-- Reads, at one moment, what a browser needs to join a session.
-- KEYS: see _session.lua
-- ARGV: 4 client, 5 the last seq that the browser has seen, or '', 6 1 if it wants tables as Arrow, 7 1 if it does not read
--       what was added to texts
-- Returns nil for an unknown session, else {seq, defaults, version, info, the client's highest n, {pending n, ...},
--   {outcome, ...}, {missed update, ...} or nil, all fields or nil, the names of joined rooms or nil}
-- With: _letters

local meta = call('HMGET', META, 'id', 'seq', 'defaults', 'version', 'c:' .. ARGV[4], 'rooms', 'plain', 'added')
if not meta[1] then return nil end
renew_lives(nil)
if ARGV[6] == '1' then call('HSET', META, 'arrow', '1') end
if ARGV[7] == '1' and not meta[7] then call('HSET', META, 'plain', '1') end
local client, seq = ARGV[4], tonumber(meta[2])

local pending = {}
local function note_pending(letter)
  local n, from = read_letter(letter)
  if from == client then pending[#pending + 1] = whole(n) end
end
for _, letter in ipairs(call('HVALS', DETACHED)) do note_pending(letter) end
for _, letter in ipairs(call('LRANGE', MAILBOX, 0, -1)) do note_pending(letter) end

local ended, mark = {}, struct.pack('>I2', #client) .. client
for _, one in ipairs(call('LRANGE', ENDED, 0, -1)) do
  if string.sub(one, 1, #mark) == mark then ended[#ended + 1] = string.sub(one, #mark + 1) end
end

local highest = string.match(meta[5] or '0', '^%d+')
local updates, fields = false, false
local missed = ARGV[5] ~= '' and seq - tonumber(ARGV[5])
-- What is said of texts in updates that it has not seen, it would not read.
local unreadable = missed and ARGV[7] == '1' and tonumber(meta[8] or 0) > tonumber(ARGV[5])
if missed and not unreadable and missed >= 0 and missed <= call('LLEN', LOG) then
  updates = missed > 0 and call('LRANGE', LOG, -missed, -1) or {}
else
  fields = call('HGETALL', STATE)
end
return {seq, meta[3], meta[4], call('GET', INFO), highest, pending, ended, updates, fields, meta[6]}
