"""Defaults of apps, by their content hash: read once, kept in the gateway, renewed in the store while in use."""

from __future__ import annotations

import logging
from collections import OrderedDict
from time import monotonic

from manyhands.errors import Unavailable
from manyhands.store.contract import Fields, Store

log = logging.getLogger(__name__)

#: Seconds after which defaults are read again, which renews their life in the store; sooner where sessions are short.
RENEW_AFTER = 3600.0
#: Renewals in the life of a session, which is that of its defaults: some may fail before they are lost.
RENEWALS = 8
#: Versions kept. Deployments side by side are few.
KEPT = 32


class DefaultsCache:
    """Content hash to the fields of an app's defaults. They never change, so only their life is at stake."""

    def __init__(self, store: Store, session_ttl: float) -> None:
        """`session_ttl` is in seconds."""
        self._store = store
        #: Seconds.
        self.renew_after = min(RENEW_AFTER, session_ttl / RENEWALS)
        self._known: OrderedDict[str, tuple[Fields, float]] = OrderedDict()

    def get(self, content_hash: str) -> Fields:
        """Give the defaults; none for an app without any. Raises `Unavailable`."""
        if not content_hash:
            return {}
        known = self._known.get(content_hash)
        if known is None:
            return self._read(content_hash)
        self._known.move_to_end(content_hash)
        return known[0]

    def renew(self) -> None:
        """Renew what is due. Called by the housekeeper."""
        now = monotonic()
        for content_hash, (_, read_at) in list(self._known.items()):
            if now - read_at > self.renew_after:
                try:
                    self._read(content_hash)
                except Unavailable as error:
                    log.warning("can't renew defaults %s: %s", content_hash, error)
                    return

    def _read(self, content_hash: str) -> Fields:
        fields = self._store.defaults(content_hash)
        if fields is None:
            # Their sessions outlived them, which renewing prevents: show what the sessions themselves hold.
            log.error("the app's defaults %s are gone from the store", content_hash)
            return {}
        self._known[content_hash] = (fields, monotonic())
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return fields
