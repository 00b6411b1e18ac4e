"""What tests of real processes share: a Redis, our commands as child processes, and simulated browsers."""
