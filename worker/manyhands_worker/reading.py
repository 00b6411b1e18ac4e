"""How a worker process reads the sessions' fields: small states with each turn, of large ones what handlers look at."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import partial

from manyhands.known_fields import Habits, KnownFields
from manyhands.store.contract import Fields, Store
from manyhands.store.turns import NOTHING, Turn, Wanted
from manyhands_worker.running import Running
from manyhands_worker.waits import Waits

#: Sessions that are remembered to be large.
KEPT = 4096


class Reading:
    """What a process knows of how its sessions' states are read. Any thread may use it."""

    def __init__(self, store: Store, running: Running, waits: Waits) -> None:
        self._store, self._running, self._waits = store, running, waits
        self._habits = Habits()
        # Guards the dictionary; held for one operation.
        self._lock = threading.Lock()
        self._large: OrderedDict[str, None] = OrderedDict()

    def wanted_of(self, session: str) -> Wanted:
        """Give what to ask for with a session's next turn."""
        return self._habits.begin_turn() if session in self._large else NOTHING

    def of(self, turn: Turn) -> KnownFields:
        """Give what a turn brought, which goes on to the store for the rest."""
        session = turn.session.id
        self._note(session, large=not turn.whole)
        fetch = partial(self._fetch, session)
        return KnownFields(turn.fields or {}, whole=turn.whole, wanted=turn.wanted, fetch=fetch, habits=self._habits)

    def of_room(self, room: str, fields: Fields, *, whole: bool, wanted: Wanted) -> KnownFields:
        """Give what came with a room, which goes on to the store for the rest."""
        self._note(room, large=not whole)
        fetch = partial(self._fetch, room)
        return KnownFields(fields, whole=whole, wanted=wanted, fetch=fetch, habits=self._habits)

    def _note(self, session: str, *, large: bool) -> None:
        if not large and session not in self._large:
            return
        with self._lock:
            self._large.pop(session, None)
            if large:
                self._large[session] = None
            if len(self._large) > KEPT:
                self._large.popitem(last=False)

    def _fetch(self, session: str, wanted: Wanted) -> tuple[Fields, bool]:
        with self._waits.waiting():
            return self._running.insist(lambda: self._store.read(session, wanted), f"read the state of {session}")
