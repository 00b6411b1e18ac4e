-- Ends an event that waits, or notes that a running one is to be cancelled.
-- KEYS: see _session.lua
-- ARGV: 4 client, 5 n, 6 and 7 the update around its seq, 8 channel, 9 outcome, 10 entries and 11 bytes of the log,
--       12 outcomes kept
-- Returns 'ended', 'marked', or 'unknown'
-- With: _letters _updates

local client, n = ARGV[4], tonumber(ARGV[5])
local meta = call('HMGET', META, 'run', 'taken', 'seq', 'logged')
if not meta[1] then return 'unknown' end

local function is_it(letter)
  local of, from = read_letter(letter)
  return of == n and from == client
end

local function mark()
  call('SADD', CANCELS, event_key(client, n))
  call('HSET', META, 'asked', 1)
  mortal(CANCELS)
  return 'marked'
end

for _, letter in ipairs(call('HVALS', DETACHED)) do
  if is_it(letter) then return mark() end
end
-- What the worker of the turn has of the mailbox counts as running.
local taken = meta[1] ~= '' and tonumber(meta[2] or 1) or 0
for i, letter in ipairs(call('LRANGE', MAILBOX, 0, -1)) do
  if is_it(letter) then
    if i <= taken then return mark() end
    -- Every letter is unique, by its client and n.
    call('LREM', MAILBOX, 1, letter)
    local seq = tonumber(meta[3]) + 1
    local logged = send(seq, ARGV[6], ARGV[7], ARGV[8], tonumber(meta[4]), tonumber(ARGV[10]), tonumber(ARGV[11]))
    call('HSET', META, 'seq', seq, 'logged', logged)
    remember_end(client, ARGV[9], tonumber(ARGV[12]))
    return 'ended'
  end
end
return 'unknown'
