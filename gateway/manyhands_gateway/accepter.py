"""Group commit: the letters that arrive while one pipeline is in flight go into mailboxes with the next one.

Idle, a letter goes at once and alone; under load batches grow by themselves. Each letter is answered on its connection
before any update of its event: see `Connection.hold`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gevent
from gevent.event import Event as Signal

from manyhands import envelopes, wire
from manyhands.errors import Unavailable
from manyhands.store.contract import Letter, Receipt, Store, Verdict
from manyhands.wire import Rejection
from manyhands_gateway.arrivals import Arrival
from manyhands_gateway.backlog import Backlog
from manyhands_gateway.connection import Connection
from manyhands_gateway.greenlets import spawn_forever
from manyhands_gateway.ringer import Ringer

log = logging.getLogger(__name__)

#: Letters and bytes of one pipeline.
BATCH_LETTERS, BATCH_BYTES = 256, 8 * 2**20
#: Letters and bytes that may wait for a pipeline; more are answered `unavailable`, so that browsers send them again.
MAX_LETTERS, MAX_BYTES = 20_000, 128 * 2**20
#: Seconds after which a browser should try again.
RETRY_AFTER = 1.0

_CODES = {
    Verdict.MAILBOX_FULL: (Rejection.MAILBOX_FULL, "as many events of this session wait as may; wait for some to end"),
    Verdict.RATE_LIMITED: (Rejection.RATE_LIMITED, "this session sends more events a second than it may"),
    Verdict.TOO_OLD: (Rejection.BAD_FRAME, "`n` is too old: it lies below what is remembered of this client"),
}


@dataclass(frozen=True, slots=True)
class Posted:
    """A letter, and whom to tell."""

    connection: Connection
    letter: Letter
    arrival: Arrival


class Accepter:
    """Takes letters from all connections; one greenlet passes them on."""

    def __init__(self, store: Store, ringer: Ringer, backlog: Backlog) -> None:
        self._store, self._ringer, self._backlog = store, ringer, backlog
        self._queue: deque[Posted] = deque()
        self._bytes = 0
        self._wake = Signal()
        # The store did not answer last time; said once, not for every event.
        self._away = False
        self._greenlet: gevent.Greenlet | None = None
        #: Called with each letter and its receipt, while developing.
        self.on_accepted: Callable[[Letter, Receipt], None] | None = None

    def start(self) -> None:
        """Start the greenlet that sends pipelines."""
        self._greenlet = spawn_forever(self._run)

    def stop(self) -> None:
        """End it. Letters that still wait were not accepted, and their browsers know."""
        if self._greenlet is not None:
            self._greenlet.kill()

    def submit(self, connection: Connection, letter: Letter, arrival: Arrival) -> None:
        """Take a letter; its answer comes on the connection. Never waits."""
        if len(self._queue) >= MAX_LETTERS or self._bytes + len(letter.body) > MAX_BYTES:
            message = "this gateway has more events to pass on than it can keep"
            connection.send(envelopes.rejected(letter.n, Rejection.UNAVAILABLE, message, RETRY_AFTER))
            arrival.refused(Rejection.UNAVAILABLE)
            return
        if not self._backlog.admit():
            message, retry_after = "as many events wait for workers as may", self._backlog.retry_after()
            connection.send(envelopes.rejected(letter.n, Rejection.UNAVAILABLE, message, retry_after))
            arrival.refused(Rejection.UNAVAILABLE)
            return
        connection.submitted()
        self._queue.append(Posted(connection, letter, arrival))
        self._bytes += len(letter.body)
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                self._pass_on(self._take())

    def _take(self) -> list[Posted]:
        batch: list[Posted] = []
        size = 0
        while self._queue and len(batch) < BATCH_LETTERS and (not batch or size < BATCH_BYTES):
            batch.append(self._queue.popleft())
            size += len(batch[-1].letter.body)
        self._bytes -= size
        return batch

    def _pass_on(self, batch: Sequence[Posted]) -> None:
        connections = {posted.connection for posted in batch}
        for connection in connections:
            connection.hold()
        try:
            receipts = self._store.accept([posted.letter for posted in batch])
        except Unavailable as error:
            if not self._away:
                log.warning("events are not accepted at present: %s", error)
            self._away = True
            self._refuse(batch, error.retry_after)
        except Exception:
            # Whatever the fault, this greenlet must live: without it, no event is ever accepted again.
            log.exception("%d events were not accepted", len(batch))
            self._refuse(batch, RETRY_AFTER)
        else:
            if self._away:
                log.warning("events are accepted again")
            self._away = False
            # The receipts of a connection, and what was held back behind them, go out together.
            for connection in connections:
                connection.outbox.cork()
            self._answer(batch, receipts)
        finally:
            for connection in connections:
                connection.release()

    def _refuse(self, batch: Sequence[Posted], retry_after: float) -> None:
        message = "the store does not answer; the event may or may not have been accepted: send it again as it is"
        for posted in batch:
            posted.connection.send(envelopes.rejected(posted.letter.n, Rejection.UNAVAILABLE, message, retry_after))
            posted.connection.answered()
            posted.arrival.refused(Rejection.UNAVAILABLE)

    def _answer(self, batch: Sequence[Posted], receipts: Sequence[Receipt]) -> None:
        for posted, receipt in zip(batch, receipts, strict=True):
            if receipt.ring is not None:
                self._ringer.ring(posted.letter.session, receipt.ring, receipt.queue)
            answer(posted.connection, posted.letter, receipt)
            posted.connection.answered()
            posted.arrival.answered(receipt)
            if self.on_accepted is not None:
                self.on_accepted(posted.letter, receipt)


def answer(connection: Connection, letter: Letter, receipt: Receipt) -> None:
    """Tell a browser what became of its event."""
    if receipt.verdict is Verdict.ACCEPTED and receipt.n is not None:
        connection.accepted(receipt.n)
    elif receipt.verdict is Verdict.UNKNOWN_SESSION:
        connection.close(wire.Close.SESSION_UNKNOWN, "the session has expired")
    else:
        code, message = _CODES[receipt.verdict]
        connection.send(envelopes.rejected(letter.n, code, message, receipt.retry_after))
