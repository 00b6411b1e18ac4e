"""Asks a worker whether a session may begin, where the app has session verifiers.

They run as the only event of a session made for it, whose id nobody but this process knows. So there is nothing to be
joined, fired at or read before they have let the session in: the session itself is created afterwards, under another
id, and the one that was made for them is deleted, whatever came of it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from time import monotonic

import msgpack
from gevent.event import Event as Signal
from gevent.lock import BoundedSemaphore

from manyhands.errors import Unavailable
from manyhands.letters import Body, encode_body
from manyhands.store.contract import Announcement, Letter, Session, Store
from manyhands.verifiers import VERIFY_SESSION
from manyhands.wire import Key
from manyhands_gateway.hub import Hub
from manyhands_gateway.ringer import Ringer
from manyhands_gateway.tokens import new_session_id

log = logging.getLogger(__name__)

#: Seconds that the verifiers may take, the way to a worker and back included. Then the browser is told to ask again.
VERIFY_WITHIN = 10.0
#: Seconds between two looks for an outcome whose update pub/sub has lost.
LOOK = 2.0
#: Sessions of one process that are verified at a time; further browsers are told to come again.
MAX_VERIFYING = 1000
#: The client that asks. No browser can have this id.
NOBODY = ""


class Verification:
    """The verifiers of the app, as the gateway sees them."""

    def __init__(self, store: Store, hub: Hub, ringer: Ringer) -> None:
        self._store, self._hub, self._ringer = store, hub, ringer
        self._room = BoundedSemaphore(MAX_VERIFYING)

    def lets_in(
        self, announced: Sequence[Announcement], headers: Mapping[str, str], cookies: Mapping[str, str]
    ) -> bool:
        """Tell whether a session may begin. Waits for a worker. Raises `Unavailable` when that can't be known.

        Every version that has workers counts: while a deploy goes on none opens what another one guards.
        """
        verifying = next((one for one in announced if VERIFY_SESSION in one.handlers), None)
        if verifying is None:
            return True
        if not self._room.acquire(blocking=False):
            raise Unavailable("this gateway", f"{MAX_VERIFYING} other sessions are being verified")
        try:
            trial = Session(new_session_id(), verifying.defaults, verifying.version, headers, cookies)
            return self._ask(trial)
        finally:
            self._room.release()

    def _ask(self, trial: Session) -> bool:
        with self._hub.listening(trial.id) as heard:
            self._store.create(trial)
            try:
                letter = Letter(trial.id, NOBODY, 1, encode_body(Body(VERIFY_SESSION)))
                (receipt,) = self._store.accept([letter])
                if receipt.ring is not None:
                    self._ringer.ring(trial.id, receipt.ring, receipt.queue)
                return self._wait(trial.id, heard)
            finally:
                self._delete(trial.id)

    def _wait(self, trial: str, heard: Signal) -> bool:
        deadline = monotonic() + VERIFY_WITHIN
        while (left := deadline - monotonic()) > 0:
            heard.wait(min(left, LOOK))
            heard.clear()
            found = self._store.welcome(trial, NOBODY, None)
            if found is None:
                raise Unavailable("Redis", "it has lost a session that was being verified")
            if found.ended:
                return _read(found.ended[0])
        raise Unavailable("a worker", f"the app's session verifiers have not decided within {VERIFY_WITHIN:g} s")

    def _delete(self, trial: str) -> None:
        try:
            self._store.delete(trial)
        except Unavailable as error:
            # It ends by itself, when a session's life has passed.
            log.warning("session %s, which was made to verify another one, is still there: %s", trial, error)


def _read(encoded: bytes) -> bool:
    outcome = msgpack.unpackb(encoded)
    if not outcome[Key.OK]:
        # Not their refusal: no worker could run them to their end.
        raise Unavailable("a worker", outcome[Key.ERROR][Key.MESSAGE])
    return outcome[Key.RESULT] is True
