"""A worker inside another process, over a store in memory: what `manyhands.testing` runs handlers with.

All of it is a worker's own but what needs Redis or Celery: bells are played at once, and lines are heard of directly.
Nobody takes its events over, so it has no heart; its store must be one whose leases last.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from manyhands.app_location import locate
from manyhands.known_fields import KnownFields
from manyhands.settings import Settings
from manyhands.state_root import StateRoot
from manyhands.store.memory import MemoryStore
from manyhands.verifiers import is_internal
from manyhands_worker.announcing import announcement_of
from manyhands_worker.batch import Bell
from manyhands_worker.flusher import Flusher
from manyhands_worker.lines import Lines
from manyhands_worker.loader import LoadedApp, activate, active, load
from manyhands_worker.output import CapturedStream, Output, capture_streams, capturing
from manyhands_worker.parts import Parts
from manyhands_worker.ringing import Ringing
from manyhands_worker.turns import Turns
from manyhands_worker.verifying import with_verifying

#: Handlers that may hold their turns at the same time, as many as in a worker process unless it is told otherwise.
CONCURRENCY = 8
#: The channel of those who wait for rooms.
LINES = "lines"
#: Those of the apps that are open, the one that was opened last at the end.
_open: list[WorkerInProcess] = []


class DirectBells(Ringing):
    """Rings sessions by playing them."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        #: Set once there is who plays.
        self.turns: Turns | None = None

    def ring(self, bells: Sequence[tuple[str, int]], version: str | None = None, queue: str = "") -> None:
        """Play sessions soon."""
        if self.turns is not None:
            self.turns.put([Bell(session) for session, _ in bells])


class DirectLines(Lines):
    """Hears of rooms from whoever publishes in this process."""

    @property
    def channel(self) -> str:
        """It is always heard."""
        return LINES

    def listen(self) -> None:
        """It listens."""


class WorkerInProcess:
    """One app's worker. Used by one thread at a time; its handlers run on threads of its own, as in any worker."""

    def __init__(self, settings: Settings, store: MemoryStore, app: str) -> None:
        """Load the app, and announce it. Raises `AppError`."""
        capture_streams()
        try:
            self.app = _load(app)
        except BaseException:
            _forget()
            raise
        self._traces = active()
        _open.append(self)
        bells = DirectBells(settings)
        queues = ("", *sorted({queue for _, queue in settings.routes}))
        parts = Parts.make(settings, store, self.app, bells, concurrency=CONCURRENCY, queues=queues)
        self._parts = replace(parts, lines=DirectLines(settings.redis, LINES))
        self._store = store
        store.listening.add(LINES)
        self._turns = bells.turns = Turns(self._parts)
        self._flusher = Flusher(store, self._parts.running, settings.partial_interval)
        store.announce(announcement_of(self.app), self.app.defaults, started=True)

    def start(self) -> None:
        """Start the threads that run async handlers, and that detach long ones."""
        self._parts.watcher.start()
        self._parts.loop.start()
        self._flusher.start()

    def take_process(self) -> None:
        """Let the process be this app's: its modules are found, and what its handlers print is captured."""
        capture_streams()
        activate(self._traces)

    def ring(self, session: str, ring: int, queue: str) -> None:
        """Play a session, on another thread."""
        self._turns.put([Bell(session, ring)])

    def heard(self, channel: str, message: bytes) -> bool:
        """Take in what was published; False for what is not for workers."""
        if channel == LINES:
            self._parts.lines.wake(message.decode())
        return channel == LINES

    @property
    def handlers(self) -> frozenset[str]:
        """The names of the handlers that browsers may fire."""
        return frozenset(name for name in self.app.handlers if not is_internal(name))

    def stored(self, session: str) -> dict[str, Any]:
        """Give the whole state of a session as a handler would read it, what browsers don't see included."""
        self.take_process()
        welcome = self._store.welcome(session, "", None)
        if welcome is None:
            return {}
        known, defaults = KnownFields(welcome.fields or {}), self._parts.defaults.of(welcome.session)
        return StateRoot.over(known, defaults, session, load=self._parts.large.of(session).load).state.to_dict()

    def shown(self, session: str, digest: bytes) -> bytes | None:
        """Give the bytes of a large value that browsers fetch; None where another value has taken its place."""
        found = self._store.blob(session, digest)
        if found is None:
            return None
        reference, blob = found
        return self._parts.large.load(session, reference)[blob.offset : blob.offset + blob.length]

    def stop(self, within: float) -> list[str]:
        """Cancel what runs, and end; gives the handlers that have not ended within so many seconds."""
        running = self._parts.running
        for run in running.runs():
            run.cancel()
        running.wait_until_idle(within)
        left = [run.handler for run in running.runs()]
        running.stop()
        self._flusher.stop()
        self._parts.watcher.stop()
        self._parts.loop.stop(within)
        self._parts.threads.shutdown(wait=False, cancel_futures=True)
        self._parts.detaching.shutdown(wait=False, cancel_futures=True)
        _open.remove(self)
        _forget()
        return left


def _load(app: str) -> LoadedApp:
    output = Output("import")
    with capturing(output):
        loaded = with_verifying(load(locate(app)))
    output.finish()
    return loaded


def _forget() -> None:
    """Let modules be those of the app that was opened before, and the standard streams whose they were."""
    activate(_open[-1]._traces if _open else None)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, CapturedStream):
            setattr(sys, name, stream.real)
