"""The defaults that a session began with: this app's own, or those of the version that began it."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict

from manyhands.branches import Defaults
from manyhands.settings import Settings
from manyhands.store.contract import Session, Store
from manyhands_worker.loader import LoadedApp

log = logging.getLogger("manyhands.turns")

#: Other versions' defaults kept in memory.
KEPT = 16


class DefaultsCache:
    """Encoded defaults by their content hash; never live objects, so that no event can change them in place."""

    def __init__(self, store: Store, app: LoadedApp, settings: Settings) -> None:
        self._store, self._app, self._dev = store, app, settings.dev
        #: Seconds after which they are read again, which renews their life.
        self._renew_after = min(3600.0, settings.session_ttl / 8)
        # Guards `_kept`; held for a dictionary operation.
        self._lock = threading.Lock()
        #: By hash: when they were read, by `time.monotonic`, and the defaults.
        self._kept: OrderedDict[str, tuple[float, Defaults]] = OrderedDict()
        self._own = Defaults.of(app.defaults)

    def of(self, session: Session) -> Defaults:
        """Give a session's defaults. While developing a session moves to the app's new ones. Raises `DamagedValue`."""
        if self._dev or session.defaults == self._app.defaults_hash:
            return self._own
        with self._lock:
            kept = self._kept.get(session.defaults)
        if kept is not None and time.monotonic() - kept[0] < self._renew_after:
            return kept[1]
        found = self._store.defaults(session.defaults)
        if found is None:
            log.warning("the defaults that session %s began with are gone; it gets this version's", session.id)
            return self._own
        made = Defaults.of(found)
        with self._lock:
            self._kept[session.defaults] = (time.monotonic(), made)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made
