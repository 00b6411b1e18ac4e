"""Bells that wait in a worker process, and the batch that came with one message of Celery's."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


class Batch:
    """The sessions that one message names. Ends when each has had its turns, or runs on detached."""

    def __init__(self, bells: Sequence[tuple[str, int]]) -> None:
        # Guards everything below; held for a moment.
        self._lock = threading.Lock()
        self._left = len(bells)
        self._ended = threading.Event()
        self.bells = [Bell(session, ring, self) for session, ring in bells]
        if not bells:
            self._ended.set()

    def release(self) -> None:
        """Note that a session's turns are over, or that its run was detached."""
        with self._lock:
            self._left -= 1
            if not self._left:
                self._ended.set()

    def wait(self) -> None:
        """Wait for its end."""
        self._ended.wait()


@dataclass(slots=True)
class Bell:
    """A session that has mail."""

    session: str
    #: The store's ms of the ring, where Celery brought it; 0 for one that was rung here.
    ring: int = 0
    #: Who waits for the session's turns to end, each told once.
    batch: Batch | None = None
    #: When it came, by `time.monotonic`.
    since: float = field(default_factory=time.monotonic)

    def release(self) -> None:
        """Note that the session's turns are over, or that its run was detached."""
        batch, self.batch = self.batch, None
        if batch is not None:
            batch.release()
