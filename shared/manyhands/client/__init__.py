"""A client for programs: a session's state, and events to its handlers."""
