"""Performs what a connection's protocol decided. Runs in the endpoint's greenlet, one per connection, and may wait."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from manyhands import envelopes, wire
from manyhands.envelopes import Hello
from manyhands.errors import Unavailable
from manyhands.store.contract import Letter, Store
from manyhands.updates import Outcome, encode_outcome, encode_update
from manyhands.wire import Failure, Rejection
from manyhands_gateway.accepter import Accepter
from manyhands_gateway.arrivals import Arrivals
from manyhands_gateway.connection import Connection
from manyhands_gateway.handler_names import HandlerNames
from manyhands_gateway.hub import Hub
from manyhands_gateway.meter import JoinKind
from manyhands_gateway.protocol import Accept, Action, Cancel, Close, Join, Reject
from manyhands_gateway.rooms import Rooms
from manyhands_gateway.sessions import Handshake as Handshake
from manyhands_gateway.sessions import Sessions
from manyhands_gateway.verification import Verification

log = logging.getLogger(__name__)

#: Seconds after which a browser repeats a hello that found no worker.
HELLO_AGAIN = 1.0
#: Seconds after which a browser repeats an event that found no worker.
EVENT_AGAIN = 1.0
#: Answers that the same frame would get again. A browser which sends many of these is at fault; the other answers come
#: in crowds when a browser that was offline sends all that it kept.
_FAULTS = frozenset({Rejection.BAD_FRAME, Rejection.UNKNOWN_HANDLER, Rejection.PAYLOAD_TOO_LARGE})


@dataclass(frozen=True, slots=True)
class Services:
    """What conversations need of the process."""

    store: Store
    sessions: Sessions
    names: HandlerNames
    hub: Hub
    rooms: Rooms
    accepter: Accepter
    verification: Verification
    arrivals: Arrivals
    #: Gives the queue whose workers run a handler.
    route: Callable[[str], str]


class Conversation:
    """One browser's part of the talk, answered."""

    __slots__ = ("_connection", "_handshake", "_services", "_session")

    def __init__(self, connection: Connection, handshake: Handshake, services: Services) -> None:
        self._connection, self._handshake, self._services = connection, handshake, services
        connection.secret = handshake.named is not None
        connection.on_joined = services.rooms.changed
        #: Set from the first hello that was answered with a welcome.
        self._session = ""

    @property
    def session(self) -> str:
        """The session's id; `""` before there is one."""
        return self._session

    def receive(self, frame: str | bytes) -> None:
        """Take one frame and do what it asks for."""
        for action in self._connection.protocol.receive(frame):
            self._perform(action)

    def leave(self) -> None:
        """Tidy up after the socket has ended."""
        self._services.hub.leave(self._connection)
        self._services.rooms.leave(self._connection)

    def _perform(self, action: Action) -> None:
        match action:
            case Join(hello):
                self._join(hello)
            case Accept() as event:
                self._accept(event)
            case Cancel(n):
                self._cancel(n)
            case Reject(n, code, message, retry_after):
                self._refuse(n, code, message, retry_after)
            case Close(code, reason):
                self._connection.close(code, reason)

    def _refuse(self, n: int | None, code: Rejection, message: str, retry_after: float | None = None) -> None:
        """Reject an event, and count it."""
        self._services.arrivals.refused(code)
        self._reject(n, code, message, retry_after)

    def _reject(self, n: int | None, code: Rejection, message: str, retry_after: float | None = None) -> None:
        self._connection.send(envelopes.rejected(n, code, message, retry_after))
        if code in _FAULTS:
            self._connection.burden()

    def _join(self, hello: Hello) -> None:
        try:
            self._join_or_raise(hello)
        except Unavailable as error:
            self._put_off(Rejection.UNAVAILABLE, str(error), error.retry_after)

    def _join_or_raise(self, hello: Hello) -> None:
        named, session = self._handshake.named, None
        begins = hello.session is None and (named is None or named.is_new)
        if begins:
            session = self._begin()
            if session is None:
                return
        else:
            session = self._services.sessions.verify(hello.session, named)
        self._connection.client, self._connection.abilities = hello.client, hello.abilities
        self._connection.shared = hello.shared
        self._session = session or ""
        # What a browser saw of another session means nothing in this one.
        seq = None if hello.session is None else hello.seq
        joined = session is not None and self._services.hub.join(self._connection, session, seq, resumed=not begins)
        kind = JoinKind.UNKNOWN if not joined else JoinKind.NEW if begins else JoinKind.RESUMED
        self._services.arrivals.meter.joined(kind)
        if not joined:
            self._connection.close(wire.Close.SESSION_UNKNOWN, "the session is unknown or has expired")

    def _begin(self) -> str | None:
        """Begin a session and give its id; None where the browser has been told why there is none."""
        sessions, handshake = self._services.sessions, self._handshake
        announced = sessions.announced()
        if not announced:
            message = "no worker has announced the app yet; start one with `manyhands worker`"
            self._put_off(Rejection.NO_WORKER, message, HELLO_AGAIN)
            return None
        # The hello has come; how long the verifiers take is bounded there.
        self._connection.deadline = None
        if not self._services.verification.lets_in(announced, handshake.headers, handshake.cookies):
            self._services.arrivals.meter.joined(JoinKind.REFUSED)
            self._connection.close(wire.Close.REFUSED, "the app's session verifiers refused the session")
            return None
        return sessions.begin(announced[0], handshake)

    def _put_off(self, code: Rejection, message: str, retry_after: float) -> None:
        """Answer a hello with `rejected`: the browser will repeat it on this connection."""
        self._services.arrivals.meter.joined(JoinKind.PUT_OFF)
        self._connection.protocol.hello_failed()
        self._connection.deadline = None
        self._reject(None, code, message, retry_after)
        self._connection.burden()

    def _accept(self, event: Accept) -> None:
        names = self._services.names
        try:
            known = names.knows(event.handler)
        except Unavailable as error:
            self._refuse(event.n, Rejection.UNAVAILABLE, str(error), error.retry_after)
            return
        if not known:
            self._refuse_unknown(event)
            return
        client, queue = self._connection.client, self._services.route(event.handler)
        arrival, body = self._services.arrivals.begin(event, self._session, client)
        self._services.accepter.submit(self._connection, Letter(self._session, client, event.n, body, queue), arrival)

    def _refuse_unknown(self, event: Accept) -> None:
        names = self._services.names
        if names.announced:
            self._refuse(event.n, Rejection.UNKNOWN_HANDLER, names.explain(event.handler))
        else:
            # A worker will know; browsers keep the event until then.
            message = "no worker has announced the app's handlers; start one with `manyhands worker`"
            self._refuse(event.n, Rejection.NO_WORKER, message, EVENT_AGAIN)

    def _cancel(self, n: int) -> None:
        # The event itself may have come with the frame before, and be on its way into the mailbox.
        self._connection.wait_settled()
        outcome = Outcome(ok=False, error=(Failure.CANCELLED, "the browser cancelled the event"))
        client = self._connection.client
        update = encode_update([], [], client, n, outcome)
        try:
            self._services.store.cancel(self._session, client, n, update, encode_outcome(n, outcome))
        except Unavailable as error:
            # Without `n`: it would say that the event itself was not accepted.
            self._reject(None, Rejection.UNAVAILABLE, f"event {n} was not cancelled: {error}", error.retry_after)
