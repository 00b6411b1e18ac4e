-- Gives a room up, whether a run has it, waits for it, or goes on beside others.
-- KEYS: see _session.lua and _rooms.lua
-- ARGV: 4 token, 5 event, 6 channel, as the run has taken it
-- Returns who has the room now
-- With: _rooms

call('LREM', MAILBOX, 0, ARGV[4] .. ' ' .. ARGV[6] .. ' ' .. ARGV[5])
forget_run(ARGV[4])
local run = call('HGET', META, 'run')
return run == ARGV[4] and pass_on('') or run
