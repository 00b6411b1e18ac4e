"""Rings sessions through Celery, as many with one task as came together; one greenlet holds the doorbell.

Few tasks are under way at a time, so that under load each names many sessions; idle, nothing waits. See `YOUNG`.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from time import monotonic
from typing import Protocol

import gevent
from gevent.event import Event as Signal

from manyhands.errors import Unavailable
from manyhands_gateway.greenlets import spawn_forever

log = logging.getLogger(__name__)

#: Sessions named by one task.
BATCH = 64
#: So many tasks may be young: sent less than `YOUTH` seconds ago, and some of their sessions have had no update since.
#: What must be rung meanwhile waits for the next one. One would be bad; from there on the number matters little.
YOUNG, YOUTH = 4, 0.02
#: Sessions that may wait for a broker that is away. More are dropped: the workers' reaper finds overdue doorbells.
MAX_WAITING = 100_000
#: Seconds before the next try: the first, doubled up to the last.
FIRST_PAUSE, LAST_PAUSE = 0.1, 2.0


class Bell(Protocol):
    """What the ringer needs of `manyhands.doorbell.Doorbell`."""

    def ring(self, bells: list[tuple[str, int]], version: None, queue: str, /) -> None:
        """Send one task. Raises `Unavailable`."""


@dataclass(slots=True)
class _Task:
    """One that was sent, and the sessions that have had no update since."""

    sent: float
    sessions: set[str]


class Ringer:
    """Sessions that must be rung. `ring` and `updated` never wait."""

    def __init__(self, doorbell: Bell, *, batch: int = BATCH, young: int = YOUNG) -> None:
        """`batch` sessions at most go with one task; `young` tasks may be young at a time."""
        self._doorbell, self._batch, self._most = doorbell, batch, young
        #: Session to its queue and the ms of its ring; a later ring of a session takes the place of an earlier one.
        self._waiting: dict[str, tuple[str, int]] = {}
        self._young: deque[_Task] = deque()
        self._wake, self._idle, self._grown = Signal(), Signal(), Signal()
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

    def ring(self, session: str, ring: int, queue: str) -> None:
        """Have a session rung soon."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting[session] = (queue, ring)
            self._idle.clear()
            self._wake.set()

    def updated(self, session: str) -> None:
        """Note that a session has had an update: a worker is at it."""
        for task in self._young:
            if session in task.sessions:
                task.sessions.discard(session)
                if not task.sessions:
                    self._grown.set()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            self._wake.wait()
            self._wait_for_room()
            queue, batch = self._take()
            try:
                if batch:
                    self._doorbell.ring(batch, None, queue)
                    self._young.append(_Task(monotonic(), {session for session, _ in batch}))
                pause = FIRST_PAUSE
            except Unavailable as error:
                if pause == FIRST_PAUSE:
                    log.warning("can't ring %d sessions: %s; trying until it works", len(batch), error)
                self._waiting = {**{session: (queue, ring) for session, ring in batch}, **self._waiting}
                gevent.sleep(pause)
                pause = min(2 * pause, LAST_PAUSE)
            if not self._waiting:
                self._wake.clear()
                self._idle.set()

    def _wait_for_room(self) -> None:
        while True:
            oldest = monotonic() - YOUTH
            while self._young and (self._young[0].sent <= oldest or not self._young[0].sessions):
                self._young.popleft()
            if sum(bool(task.sessions) for task in self._young) < self._most:
                return
            self._grown.clear()
            self._grown.wait(self._young[0].sent - oldest)

    def _take(self) -> tuple[str, list[tuple[str, int]]]:
        """Take sessions of one queue, those first that have waited longest."""
        queue = next(iter(self._waiting.values()), ("", 0))[0]
        batch: list[tuple[str, int]] = []
        for session, (of, ring) in self._waiting.items():
            if of == queue:
                batch.append((session, ring))
                if len(batch) == self._batch:
                    break
        for session, _ in batch:
            del self._waiting[session]
        return queue, batch
