"""How long each handler takes, as this process has seen it."""

from __future__ import annotations

import time

from manyhands_worker.run import Run
from manyhands_worker.watcher import HAND_OFF_AFTER

#: The share that the latest run has in what is known of a handler.
NEWEST = 0.25


class Durations:
    """Seconds by handler, a moving average. Written by any thread; a lost write does no harm."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def note(self, run: Run) -> None:
        """Take in that a run's handler has just returned."""
        if run.began is None:
            return
        took = time.monotonic() - run.began
        before = self._seconds.get(run.body.handler, took)
        self._seconds[run.body.handler] = before + NEWEST * (took - before)

    def is_slow(self, handler: str) -> bool:
        """Tell whether a handler usually runs so long that the watcher would take its player's other work away."""
        return self._seconds.get(handler, 0.0) >= HAND_OFF_AFTER
