"""The worker's own doorbell: for sessions that go back to the queue, and for those that are rung again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from manyhands.doorbell import Doorbell
from manyhands.errors import Unavailable
from manyhands.settings import Settings

log = logging.getLogger("manyhands.ringing")

#: Sessions that one task names at most.
BELLS_IN_A_TASK = 64


class Ringing:
    """A doorbell for every thread."""

    def __init__(self, settings: Settings) -> None:
        # Guards the doorbell's connection; held while one task is sent.
        self._lock = threading.Lock()
        self._doorbell = Doorbell(settings)

    def ring(self, bells: Sequence[tuple[str, int]], version: str | None = None) -> None:
        """Ring sessions, for the workers of one version alone where it is given.

        When the broker is away nothing is lost: a reaper rings them again.
        """
        for start in range(0, len(bells), BELLS_IN_A_TASK):
            try:
                with self._lock:
                    self._doorbell.ring(bells[start : start + BELLS_IN_A_TASK], version)
            except Unavailable as error:
                log.warning("can't ring %d sessions now: %s", len(bells) - start, error)
                return
