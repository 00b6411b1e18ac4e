-- Ends an event that waits, or notes that a running one is to be cancelled.
-- KEYS: see _session.lua
-- ARGV: 4 client, 5 n, 6 and 7 the update around its seq, 8 channel, 9 outcome, 10 entries and 11 bytes of the log,
--       12 outcomes kept
-- Returns 'ended', 'marked', or 'unknown'

local client, n = ARGV[4], tonumber(ARGV[5])
local run = call('HGET', META, 'run')
if not run then return 'unknown' end
local mark = struct.pack('>I8I2', n, #client) .. client

local function is_it(letter)
  return string.sub(letter, 2, 1 + #mark) == mark
end

for _, letter in ipairs(call('HVALS', DETACHED)) do
  if is_it(letter) then
    call('SADD', CANCELS, event_key(client, n))
    mortal(CANCELS)
    return 'marked'
  end
end
for i, letter in ipairs(call('LRANGE', MAILBOX, 0, -1)) do
  if is_it(letter) then
    if i == 1 and run ~= '' then
      call('SADD', CANCELS, event_key(client, n))
      mortal(CANCELS)
      return 'marked'
    end
    -- Every letter is unique, by its client and n.
    call('LREM', MAILBOX, 1, letter)
    send(ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[10]), tonumber(ARGV[11]))
    remember_end(client, ARGV[9], tonumber(ARGV[12]))
    return 'ended'
  end
end
return 'unknown'
