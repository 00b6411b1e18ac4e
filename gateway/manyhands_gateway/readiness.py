"""Whether this gateway can serve: Redis and the broker answer, and a worker has announced the app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic

import gevent

from manyhands.errors import Unavailable
from manyhands.store.contract import Store

#: Seconds that all checks together may take.
CHECK_WITHIN = 2.0
#: Seconds for which an answer holds, so that many probes cost one check.
HOLDS = 1.0


class Readiness:
    """Checks, each of which gives what is wrong, by part."""

    def __init__(self, store: Store, ping_broker: Callable[[], None]) -> None:
        self._checks: Mapping[str, Callable[[], Mapping[str, str]]] = {
            "redis": lambda: _check_store(store),
            "broker": lambda: _check_broker(ping_broker),
        }
        self._known: tuple[float, Mapping[str, str]] = (float("-inf"), {})

    def reasons(self) -> Mapping[str, str]:
        """Give what is wrong, by part; nothing when the gateway is ready. Waits at most `CHECK_WITHIN`."""
        checked_at, reasons = self._known
        if monotonic() - checked_at > HOLDS:
            reasons = self._check()
            self._known = (monotonic(), reasons)
        return reasons

    def _check(self) -> Mapping[str, str]:
        running = {part: gevent.spawn(check) for part, check in self._checks.items()}
        gevent.joinall(list(running.values()), timeout=CHECK_WITHIN)
        reasons: dict[str, str] = {}
        for part, one in running.items():
            reasons |= one.get() if one.successful() else {part: f"no answer within {CHECK_WITHIN:g} s"}
        gevent.killall(list(running.values()), block=False)
        return reasons


def _check_store(store: Store) -> Mapping[str, str]:
    try:
        known = store.announcement()
    except Unavailable as error:
        return {"redis": str(error)}
    return {} if known else {"worker": "no worker has announced the app yet; start one with `manyhands worker`"}


def _check_broker(ping: Callable[[], None]) -> Mapping[str, str]:
    try:
        ping()
    except Unavailable as error:
        return {"broker": str(error)}
    return {}
