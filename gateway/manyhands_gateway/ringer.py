"""Rings sessions through Celery, as many with one task as came together; one greenlet holds the doorbell."""

from __future__ import annotations

import logging
from typing import Protocol

import gevent
from gevent.event import Event as Signal

from manyhands.errors import Unavailable
from manyhands_gateway.greenlets import spawn_forever

log = logging.getLogger(__name__)

#: Sessions named by one task.
BATCH = 64
#: Sessions that may wait for a broker that is away. More are dropped: the workers' reaper finds overdue doorbells.
MAX_WAITING = 100_000
#: Seconds before the next try: the first, doubled up to the last.
FIRST_PAUSE, LAST_PAUSE = 0.1, 2.0


class Bell(Protocol):
    """What the ringer needs of `manyhands.doorbell.Doorbell`."""

    def ring(self, bells: list[tuple[str, int]], /) -> None:
        """Send one task. Raises `Unavailable`."""


class Ringer:
    """Sessions that must be rung. `ring` never waits."""

    def __init__(self, doorbell: Bell) -> None:
        self._doorbell = doorbell
        #: Session to the ms of its ring; a later ring of a session takes the place of an earlier one.
        self._waiting: dict[str, int] = {}
        self._wake, self._idle = Signal(), Signal()
        self._idle.set()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Start the greenlet that rings."""
        self._greenlet = spawn_forever(self._run)

    def stop(self, timeout: float) -> None:
        """Ring whom it still can, for so many seconds, and end."""
        self._idle.wait(timeout)
        if self._greenlet is not None:
            self._greenlet.kill()

    def ring(self, session: str, ring: int) -> None:
        """Have a session rung soon."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting[session] = ring
            self._idle.clear()
            self._wake.set()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            self._wake.wait()
            batch = [(session, self._waiting.pop(session)) for session in list(self._waiting)[:BATCH]]
            try:
                if batch:
                    self._doorbell.ring(batch)
                pause = FIRST_PAUSE
            except Unavailable as error:
                if pause == FIRST_PAUSE:
                    log.warning("can't ring %d sessions: %s; trying until it works", len(batch), error)
                self._waiting = {**dict(batch), **self._waiting}
                gevent.sleep(pause)
                pause = min(2 * pause, LAST_PAUSE)
            if not self._waiting:
                self._wake.clear()
                self._idle.set()
