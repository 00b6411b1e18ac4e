"""How long handlers have waited for the store because of what they read: that counts not against their turns.

Else a handler that only adds one to a counter would be detached while Redis is away, and what it had read before would
be older than what the session's next event writes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Waits:
    """By thread. Each writes its own entries; the watcher reads all."""

    def __init__(self) -> None:
        #: By the system's number of the thread: since when it waits, and for how long it has waited before, in seconds.
        self._since: dict[int, float] = {}
        self._before: dict[int, float] = {}

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count what this thread waits."""
        thread = threading.get_native_id()
        since = self._since[thread] = time.monotonic()
        try:
            yield
        finally:
            self._before[thread] = self._before.get(thread, 0.0) + time.monotonic() - since
            del self._since[thread]

    def of(self, thread: int) -> float:
        """Give the seconds that a thread has waited so far."""
        # In this order: what ends in between is counted once at least, and the next look counts it right.
        since = self._since.get(thread)
        return self._before.get(thread, 0.0) + (time.monotonic() - since if since is not None else 0.0)
