"""The worker's own doorbell: for sessions that go back to the queue, and for those that are rung again.

One thread rings for all others: a broker that hangs holds up neither a turn nor the heart.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from queue import Empty, Full, Queue

from manyhands.doorbell import Doorbell
from manyhands.errors import Unavailable
from manyhands.settings import Settings

log = logging.getLogger("manyhands.ringing")

#: Sessions that one task names at most.
BELLS_IN_A_TASK = 64
#: Bells that wait for the broker at most; more are dropped, and a reaper rings them again.
WAITING_BELLS = 10_000
#: Seconds that the last bells get when the process goes down.
FLUSH_WITHIN = 3.0

Bell = tuple[str, int]


class Ringing:
    """The thread and what it has to ring: version and queue, session and ring."""

    def __init__(self, settings: Settings) -> None:
        self._doorbell = Doorbell(settings)
        self._waiting: Queue[tuple[tuple[str | None, str], Bell]] = Queue(WAITING_BELLS)
        self._thread = threading.Thread(target=self._loop, name="manyhands-ringer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def ring(self, bells: Sequence[Bell], version: str | None = None, queue: str = "") -> None:
        """Ring sessions soon for those who serve a queue, of these the workers of a version alone if it is given."""
        for bell in bells:
            try:
                self._waiting.put_nowait(((version, queue), bell))
            except Full:
                log.warning("%d sessions wait to be rung; a reaper rings the others again", WAITING_BELLS)
                return

    def waiting(self, queues: Sequence[str]) -> int:
        """Count the messages that lie in some queues. Raises `Unavailable`."""
        return self._doorbell.waiting(queues)

    def flush(self) -> None:
        """Wait until all bells have been rung, or the broker has had its time."""
        deadline = time.monotonic() + FLUSH_WITHIN
        with self._waiting.all_tasks_done:
            while self._waiting.unfinished_tasks and (left := deadline - time.monotonic()) > 0:
                self._waiting.all_tasks_done.wait(left)

    def _loop(self) -> None:
        while True:
            taken = [self._waiting.get()]
            while len(taken) < BELLS_IN_A_TASK:
                try:
                    taken.append(self._waiting.get_nowait())
                except Empty:
                    break
            for whom in dict.fromkeys(whom for whom, _ in taken):
                self._send([bell for of, bell in taken if of == whom], *whom)
            for _ in taken:
                self._waiting.task_done()

    def _send(self, bells: Sequence[Bell], version: str | None, queue: str) -> None:
        try:
            self._doorbell.ring(bells, version, queue)
        except Unavailable as error:
            log.warning("can't ring %d sessions now: %s", len(bells), error)
