"""Takes the turns of the sessions that a doorbell names.

Plain handlers run on threads of ours, one hop per batch; `async` ones on the event loop, holding no thread. The Celery
task waits for its batch, so that Celery takes no more work than there are free slots; what is detached does not count.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from manyhands.errors import ManyHandsError
from manyhands_worker.batch import Batch
from manyhands_worker.parts import Parts
from manyhands_worker.sitting import Sitting, new_token

log = logging.getLogger("manyhands.turns")


class Turns:
    """What the Celery task calls."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def take(self, bells: Sequence[tuple[str, int]]) -> None:
        """Take the turns of these sessions; returns when all are over or detached."""
        batch = Batch(bells)
        with self._parts.running.slot():
            self._hand_off(batch)
            batch.wait()

    def _hand_off(self, batch: Batch) -> None:
        self._parts.threads.submit(self._work, batch)

    def _work(self, batch: Batch) -> None:
        """Take the turns of a batch until none waits; several threads may do so at once."""
        while batch.has_more:
            self._parts.running.wait_for_room()
            taken = batch.take()
            if taken is None:
                return
            if self._parts.running.stopping:
                self._parts.ringing.ring([taken, *batch.give_up()])
                batch.release()
                return
            self._begin_session(batch, *taken)

    def _begin_session(self, batch: Batch, session: str, ring: int) -> None:
        try:
            turn = self._parts.store.begin(session, new_token())
        except (ManyHandsError, ValueError) as error:
            # The bell is lost, the mail is not: a reaper rings it again.
            log.warning("can't begin session %s: %s", session, error, extra={"session": session})
            batch.release()
            return
        self._parts.running.served(ring)
        Sitting(self._parts, batch, self._hand_off).play(turn)
