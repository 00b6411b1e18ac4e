"""Which other versions of the app have workers, while a deploy goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from manyhands.store.contract import Announcement, Store

#: Seconds for which announcements are taken as they were read.
FRESH_FOR = 1.0


class OtherVersions:
    """The announcements of other versions, read when an event names a handler that this version has not."""

    def __init__(self, store: Store, own: str) -> None:
        self._store, self._own = store, own
        # Guards the two below; held while they are read from the store.
        self._lock = threading.Lock()
        self._announced: Sequence[Announcement] = ()
        self._read_at = float("-inf")

    def knowing(self, handler: str) -> str | None:
        """Give the newest other version that has a handler. Raises `Unavailable`."""
        with self._lock:
            if time.monotonic() - self._read_at > FRESH_FOR:
                self._announced = self._store.announcements()
                self._read_at = time.monotonic()
            others = (one for one in self._announced if one.version != self._own)
            return next((one.version for one in others if handler in one.handlers), None)
