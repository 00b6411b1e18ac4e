"""A batch: the sessions that one doorbell names, taken by one or more threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence


class Batch:
    """Sessions whose turns are to be taken. Ends when each has been, or runs on detached."""

    def __init__(self, bells: Sequence[tuple[str, int]]) -> None:
        # Guards everything below; held for a moment.
        self._lock = threading.Lock()
        self._waiting = deque(bells)
        self._active = 0
        self._ended = threading.Event()
        if not bells:
            self._ended.set()

    def take(self) -> tuple[str, int] | None:
        """Take the next session and the ms of its ring; each taken one must be released."""
        with self._lock:
            if not self._waiting:
                return None
            self._active += 1
            return self._waiting.popleft()

    def release(self) -> None:
        """Note that a session's turns are over, or that its run was detached."""
        with self._lock:
            self._active -= 1
            if not self._active and not self._waiting:
                self._ended.set()

    def give_up(self) -> list[tuple[str, int]]:
        """Take all that nobody has begun, to be rung again."""
        with self._lock:
            rest = list(self._waiting)
            self._waiting.clear()
            if not self._active:
                self._ended.set()
            return rest

    @property
    def has_more(self) -> bool:
        """Whether sessions wait for a thread."""
        return bool(self._waiting)

    def wait(self) -> None:
        """Wait for its end."""
        self._ended.wait()
