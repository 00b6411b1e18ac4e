"""How long each handler takes, as this process has seen it."""

from __future__ import annotations

import time

from manyhands_worker.run import Run
from manyhands_worker.watcher import HAND_OFF_AFTER

#: Seconds up to which a handler is quick, once it has run so many times: it has proved harmless, too.
QUICK, PROVED = 0.002, 16
#: The share that the latest run has in what is known of a handler.
NEWEST = 0.25


class Durations:
    """Seconds by handler, a moving average. Written by any thread; a lost write does no harm."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._runs: dict[str, int] = {}

    def note(self, run: Run) -> None:
        """Take in that a run's handler has just returned."""
        if run.began is None:
            return
        self._runs[run.body.handler] = self._runs.get(run.body.handler, 0) + 1
        took = time.monotonic() - run.began
        before = self._seconds.get(run.body.handler, took)
        self._seconds[run.body.handler] = before + NEWEST * (took - before)

    def is_quick(self, handler: str) -> bool:
        """Tell whether a handler has run here often enough, and quickly."""
        return self._runs.get(handler, 0) >= PROVED and self._seconds[handler] < QUICK

    def is_slow(self, handler: str) -> bool:
        """Tell whether a handler usually runs so long that the watcher would take its player's other work away."""
        return self._seconds.get(handler, 0.0) >= HAND_OFF_AFTER
