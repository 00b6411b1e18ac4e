"""The protocol of one connection, without I/O: frames in, actions out. The endpoint performs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from time import time

from manyhands import codec, wire
from manyhands.envelopes import CancelEvent, Event, Hello, parse
from manyhands.errors import BadFrame, NotSerialisable
from manyhands.letters import Body, encode_body
from manyhands.wire import Rejection
from manyhands_gateway.frames import decode_frame, number_of


@dataclass(frozen=True, slots=True)
class Join:
    """Join or begin a session, and answer `welcome`."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Accept:
    """Pass an event on to its session's mailbox, and answer `accepted`."""

    handler: str
    n: int | None
    body: bytes
    #: When it came, by `time.time`.
    posted: float
    #: To which trace it belongs, if to any.
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """End an event of this client."""

    n: int


@dataclass(frozen=True, slots=True)
class Reject:
    """Answer `rejected`."""

    n: int | None
    code: Rejection
    message: str
    #: Seconds.
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection."""

    code: int
    reason: str


Action = Join | Accept | Cancel | Reject | Close


class Phase(Enum):
    """What a connection waits for."""

    HELLO = "its first hello, or another one after a hello that could not be answered"
    OPEN = "events"
    CLOSED = "nothing: whatever comes is ignored"


class Protocol:
    """What one connection's frames mean."""

    __slots__ = ("_max_nesting", "_max_payload", "_subprotocol", "phase")

    def __init__(self, subprotocol: str, max_payload: int, max_nesting: int = wire.MAX_NESTING) -> None:
        self._subprotocol, self._max_payload, self._max_nesting = subprotocol, max_payload, max_nesting
        self.phase = Phase.HELLO

    def receive(self, frame: str | bytes) -> Sequence[Action]:
        """Take one frame: text or binary, as it came."""
        if self.phase is Phase.CLOSED:
            return []
        try:
            envelope = parse(decode_frame(frame, self._subprotocol, self._max_nesting))
        except BadFrame as error:
            return self._break(error, frame)
        match envelope:
            case Hello() as hello if self.phase is Phase.HELLO:
                self.phase = Phase.OPEN
                return [Join(hello)]
            case Hello():
                return [Reject(None, Rejection.BAD_FRAME, "a connection has one `hello`, got another")]
            case _ if self.phase is Phase.HELLO:
                return self._close("the first frame of a connection is a `hello`")
            case Event() as event:
                return [self._accept(event)]
            case CancelEvent(n):
                return [Cancel(n)]

    def hello_failed(self) -> None:
        """Expect another hello: the last one was answered with `rejected`."""
        self.phase = Phase.HELLO

    def closed(self) -> None:
        """Ignore what still comes."""
        self.phase = Phase.CLOSED

    def _break(self, error: BadFrame, frame: str | bytes) -> Sequence[Action]:
        if self.phase is Phase.HELLO:
            return self._close(error.message)
        n = number_of(frame) if error.n is None else error.n
        return [Reject(n, Rejection.BAD_FRAME, error.message)]

    def _close(self, reason: str) -> Sequence[Action]:
        self.phase = Phase.CLOSED
        return [Close(wire.Close.PROTOCOL, reason)]

    def _accept(self, event: Event) -> Action:
        posted = time()
        try:
            body = encode_body(Body(event.handler, event.payload, event.context, posted, event.traceparent))
        except NotSerialisable as error:
            return Reject(event.n, Rejection.BAD_FRAME, str(error))
        # The body is a little larger than the payload alone, which is measured only where that may matter.
        if len(body) > self._max_payload and _payload_size(event.payload) > self._max_payload:
            message = f"a payload has at most {self._max_payload} bytes, got {_payload_size(event.payload)}"
            return Reject(event.n, Rejection.PAYLOAD_TOO_LARGE, message)
        return Accept(event.handler, event.n, body, posted, event.traceparent)


def _payload_size(payload: object) -> int:
    if isinstance(payload, bytes):
        return len(payload)
    return len(payload.encode()) if isinstance(payload, str) else len(codec.encode(payload))
