"""The defaults that a session began with: this app's own, or those of the version that began it."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict

from manyhands.store.contract import Fields, Session, Store
from manyhands_worker.loader import LoadedApp

log = logging.getLogger("manyhands.turns")

#: Other versions' defaults kept in memory.
KEPT = 16


class DefaultsCache:
    """Encoded defaults by their content hash; never live objects, so that no event can change them in place."""

    def __init__(self, store: Store, app: LoadedApp, *, dev: bool) -> None:
        self._store, self._app, self._dev = store, app, dev
        # Guards `_kept`; held for a dictionary operation.
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Fields] = OrderedDict()

    def of(self, session: Session) -> Fields:
        """Give a session's defaults. While developing a session moves to the app's new ones."""
        if self._dev or session.defaults == self._app.defaults_hash:
            return self._app.defaults
        with self._lock:
            kept = self._kept.get(session.defaults)
        if kept is not None:
            return kept
        found = self._store.defaults(session.defaults)
        if found is None:
            log.warning("the defaults that session %s began with are gone; it gets this version's", session.id)
            return self._app.defaults
        with self._lock:
            self._kept[session.defaults] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found
