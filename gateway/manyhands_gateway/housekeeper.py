"""One greenlet that looks after time for all connections of a process, instead of a timer for each."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import gevent

from manyhands_gateway.connection import ROUND, Connection
from manyhands_gateway.greenlets import spawn_forever

#: Seconds between two runs of the slow duty, at most.
SLOW_ROUND = 60.0


class Housekeeper:
    """Looks after the connections that are open, and runs a slow duty once in a while."""

    def __init__(self, duty: Callable[[], None], due: float = SLOW_ROUND) -> None:
        """`duty` is run about once a minute, or every `due` seconds where that is sooner, and may wait."""
        self.connections: set[Connection] = set()
        self._duty = duty
        #: Seconds between two runs of it.
        self.pause = min(SLOW_ROUND, due)
        self._greenlets: list[gevent.Greenlet] = []

    def start(self) -> None:
        """Start the rounds."""
        self._greenlets = [spawn_forever(self._rounds), spawn_forever(self._slow_rounds)]

    def stop(self) -> None:
        """End the rounds."""
        gevent.killall(self._greenlets)

    def _rounds(self) -> None:
        while True:
            gevent.sleep(ROUND)
            now = monotonic()
            for connection in list(self.connections):
                connection.look_after(now)

    def _slow_rounds(self) -> None:
        while True:
            gevent.sleep(self.pause)
            self._duty()
