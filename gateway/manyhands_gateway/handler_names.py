"""The names of the app's handlers, as its workers have announced them: what events may ask for."""

from __future__ import annotations

import difflib
import logging
from time import monotonic

import gevent
from gevent.lock import BoundedSemaphore

from manyhands.errors import Unavailable
from manyhands.store.contract import Store
from manyhands.verifiers import is_internal
from manyhands_gateway.budget import Budget

log = logging.getLogger(__name__)

#: Seconds after which known names are read again, in the background.
STALE_AFTER = 5.0
#: Seconds between two reads for names that are unknown: a new version's handlers are found at once, and a browser
#: that sends nonsense costs one read a second.
ASK_AGAIN = 1.0
#: Characters up to which the nearest name is sought: seeking costs the square of them.
MAX_SOUGHT = 64
#: Nearest names sought a second, for all browsers: each takes up to milliseconds in an app of many handlers.
SOUGHT_A_SECOND = 10


class HandlerNames:
    """A cache of `store.handlers()`, without those that no browser may fire."""

    def __init__(self, store: Store, ask_again: float = ASK_AGAIN) -> None:
        """`ask_again` is 0 while developing, where a handler that was saved is clicked at once."""
        self._store, self._ask_again = store, ask_again
        self._names: frozenset[str] = frozenset()
        self._read_at = float("-inf")
        #: False while no version of the app is announced. An app may be announced without a single handler.
        self.announced = False
        self._refreshing = False
        self._searches = Budget(SOUGHT_A_SECOND, SOUGHT_A_SECOND)
        # Held while the store is asked, so that a crowd of unknown names asks once.
        self._asking = BoundedSemaphore()

    def knows(self, name: str) -> bool:
        """Tell whether a handler of that name is announced. Waits only for unknown ones. Raises `Unavailable`."""
        if name in self._names:
            self._refresh_soon()
            return True
        with self._asking:
            if monotonic() - self._read_at > self._ask_again:
                self._read()
        return name in self._names

    def all(self) -> list[str]:
        """Give every name, sorted. Raises `Unavailable`."""
        self._read()
        return sorted(self._names)

    def explain(self, name: str) -> str:
        """Say that a name is unknown, and which one is nearest, where that costs little."""
        seek = len(name) <= MAX_SOUGHT and self._searches.spend()
        near = difflib.get_close_matches(name, self._names, n=1) if seek else []
        hint = f"; the nearest one is {near[0]!r}" if near else ""
        return f"the app has no handler {name!r}{hint}"

    def _read(self) -> None:
        self._names = frozenset(name for name in self._store.handlers() if not is_internal(name))
        self.announced = bool(self._names) or self._store.announcement() is not None
        self._read_at = monotonic()

    def _refresh_soon(self) -> None:
        if not self._refreshing and monotonic() - self._read_at > STALE_AFTER:
            self._refreshing = True
            gevent.spawn(self._refresh)

    def _refresh(self) -> None:
        try:
            self._read()
        except Unavailable as error:
            log.warning("can't read the names of the handlers: %s", error)
            # Known names stay good; ask again no sooner than usual.
            self._read_at = monotonic()
        finally:
            self._refreshing = False
