"""What the sessions that this process had lately were created with, so that Redis need not send it with each turn."""

from __future__ import annotations

import threading
from collections import OrderedDict

from manyhands.store.contract import Session

#: Sessions kept, with their headers some 2 KB each.
KEPT = 4096


class KnownSessions:
    """A bounded cache; what is in it never changes."""

    def __init__(self) -> None:
        # Guards the dictionary; held for one operation.
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Session] = OrderedDict()

    def get(self, session: str) -> Session | None:
        """Give what a session was created with, if it is known."""
        return self._kept.get(session)

    def put(self, session: Session) -> None:
        """Keep it."""
        with self._lock:
            self._kept[session.id] = session
            self._kept.move_to_end(session.id)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
