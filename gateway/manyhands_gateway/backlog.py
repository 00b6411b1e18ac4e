"""How many events wait for workers over the whole deployment, as one gateway knows it, and whether one more may.

What waits is counted in the store about once a second, by one gateway for all. In between each adds what it has let
through since, and asks for a fresh count before that could matter. So the bound holds to within what the other
gateways let through in a second, and no event costs a round trip for it.
"""

from __future__ import annotations

import logging
import random

import gevent
from gevent.event import Event as Signal

from manyhands.errors import Unavailable
from manyhands.store.contract import Store, Waiting
from manyhands_gateway.greenlets import spawn_forever

log = logging.getLogger(__name__)

#: Seconds between two counts, and between two of those that were asked for sooner.
COUNT_EVERY, COUNT_AGAIN = 1.0, 0.1
#: Seconds after which a browser should try again: the least, and the most, so that not all come back at once.
RETRY_AFTER = (1.0, 3.0)


class Backlog:
    """What waits. `admit` may be called from any greenlet and never waits."""

    def __init__(self, store: Store, limit: int) -> None:
        """`limit` is in events."""
        self._store, self._limit = store, limit
        self._counted = Waiting(events=0, oldest=0, at=0)
        #: Events let through by this process, in all; when it last asked for a count; and before those counted by the
        #: count that it knows.
        self._admitted = self._asked = self._included = 0
        self._refusing = False
        self._wake = Signal()
        self._greenlet: gevent.Greenlet | None = None

    @property
    def events(self) -> int:
        """Events that wait over the whole deployment, as far as is known here."""
        return self._counted.events + self._admitted - self._included

    @property
    def oldest(self) -> float:
        """Seconds for which the oldest doorbell had waited for a worker when that was last looked at."""
        return self._counted.oldest / 1000

    def start(self) -> None:
        """Start the greenlet that counts."""
        self._greenlet = spawn_forever(self._run)

    def stop(self) -> None:
        """End it."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def admit(self) -> bool:
        """Count one more event in; False where as many wait as may."""
        room = self._limit - self._counted.events
        since = self._admitted - self._included
        if room > 0 and 2 * since >= room:
            self._wake.set()
        if since >= room:
            return False
        self._admitted += 1
        return True

    @staticmethod
    def retry_after() -> float:
        """Give the seconds after which a browser that was refused should try again."""
        return round(random.uniform(*RETRY_AFTER), 1)

    def _run(self) -> None:
        while True:
            fresh, asked = self._wake.wait(COUNT_EVERY), self._admitted
            try:
                self._take(self._store.waiting(fresh=fresh), asked)
            except Unavailable as error:
                log.debug("can't count what waits: %s", error)
            self._wake.clear()
            gevent.sleep(COUNT_AGAIN)

    def _take(self, counted: Waiting, asked: int) -> None:
        if counted.at != self._counted.at:
            # It was counted after we asked the last time, by whomever: else we had been given it then.
            self._counted, self._included = counted, self._asked
        self._asked = asked
        refusing = counted.events >= self._limit
        if refusing != self._refusing:
            self._refusing = refusing
            what = "more are put off" if refusing else "more are accepted again"
            log.warning("%d events wait for workers: %s", counted.events, what)
