"""Where sessions live: one contract, in Redis and, for tests, in memory."""
