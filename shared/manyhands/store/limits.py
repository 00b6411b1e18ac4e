"""Bounds of what is kept for a session, the same in every store."""

#: Updates kept for browsers that reconnect; one that has missed more gets a snapshot.
LOG_ENTRIES = 512
#: Bytes of updates kept. A session whose updates are large keeps fewer.
LOG_BYTES = 2**20
#: Outcomes of ended events kept for `welcome`, of all clients together.
OUTCOMES = 64
#: Gaps below a client's highest `n` that are remembered. An `n` in an older gap is refused, never run twice.
CLIENT_GAPS = 32
#: Changed paths remembered while runs are detached. A run that has missed more reads everything.
TOUCHED_PATHS = 512
#: Milliseconds for which a large value is kept that no field refers to: for commits that are to come, for handlers and
#: browsers that were told of it, and uploads for their events. Also in _large.lua.
LOOSE_FOR = 600_000
#: Bytes of large values that fields referred to and no longer do. Also in _large.lua.
RETIRED_BYTES = 32 * 2**20
#: Random bytes of a session's secret.
SECRET_BYTES = 16
#: Uploads of a session at a time, and of how many times `MANYHANDS_MAX_UPLOAD` bytes together.
UPLOADS, UPLOADS_AT_ONCE = 16, 2
#: Milliseconds after which a doorbell that no idle worker has answered is lost.
BELL_LOST = 1000
#: Overdue doorbells, and leases, of one partition that one look finds; the next look, a second later, finds more.
OVERDUE_AT_ONCE = 50
#: Milliseconds between two looks for overdue runs, over the whole fleet.
REAPER_INTERVAL = 950
#: Milliseconds after which a version that no worker announces any more is forgotten.
VERSION_GONE = 15_000
#: The same for the newest version while an older one still has workers: events that only it knows wait for so long.
NEWEST_VERSION_GONE = 600_000
#: Milliseconds between two counts of what waits, over the whole fleet.
COUNT_INTERVAL = 950
#: The same where somebody must know better, since the limit is near.
FRESH_COUNT_INTERVAL = 100
#: Milliseconds for which a count may be read.
COUNT_LIFE = 5000
#: Sessions that were rung, and leases, of one partition whose mailboxes a count looks into: some 2,000 in all. Where
#: more are at work the count is an estimate, by some per cent.
SAMPLED_SESSIONS = 4
#: Events whose final commits a room remembers, so that none of them writes twice when its worker dies before the
#: session's commit. They must outlast the time until such an event is run again, a lease and some seconds: so in a room
#: that is busier, up to ten times as many, for so many milliseconds.
ROOM_EVENTS, ROOM_EVENTS_FOR = 10_000, 120_000
#: Fields, and bytes of them and their values together, up to which a worker is told of the whole state with each turn.
#: The scripts have numbers of their own for the same.
WHOLE_FIELDS = 128
WHOLE_BYTES = 64 * 1024
