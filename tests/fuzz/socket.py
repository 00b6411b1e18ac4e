"""The socket layer without a socket: reads of a client's bytes in, messages and bytes for the client out.

Its own reader is held against wsproto, which reads the same bytes in a way that has nothing in common with it.
"""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import NamedTuple

from wsproto.connection import Connection as Wire
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from manyhands.settings import Settings
from manyhands.wire import SUBPROTOCOL_JSON, Close
from manyhands_gateway.connection import Connection
from manyhands_gateway.socket import serve

#: Bytes of a message, few enough for some to be over it.
LIMIT = 1000
#: Close codes of RFC 6455.
NORMAL, PROTOCOL_ERROR, NO_STATUS, INVALID_TEXT, INTERNAL_ERROR = 1000, 1002, 1005, 1007, 1011
#: A code that wsproto does not know; the registry of such codes does.
BAD_GATEWAY = 1014


class Peer:
    """Stands for a client's socket: gives one read after the other, takes what the gateway sends."""

    def __init__(self, reads: list[bytes]) -> None:
        self._reads, self.sent = iter(reads), b""

    def recv(self, size: int) -> bytes:
        """Give the next read; nothing at the end."""
        return next(self._reads, b"")

    def send(self, data: bytes, flags: int = 0, timeout: float | None = None) -> int:
        """Take all of it."""
        self.sent += data
        return len(data)

    def settimeout(self, seconds: float) -> None:
        """Never wait."""

    def shutdown(self, how: int) -> None:
        """End."""


class Talk(NamedTuple):
    """What became of a connection."""

    messages: list[str | bytes]
    #: The payloads of the pings that came.
    pings: list[bytes]
    #: The close code that the gateway sends; None where it sends none.
    code: int | None


def serve_reads(reads: list[bytes]) -> Talk:
    """Serve a connection that ends after these reads."""
    peer, messages = Peer([one for one in reads if one]), list[str | bytes]()
    server = SimpleNamespace(sock=peer, ws=None, connected=True)
    conversation = SimpleNamespace(receive=messages.append, leave=lambda: None)
    serve(server, Connection(peer, SUBPROTOCOL_JSON, Settings()), conversation, LIMIT)  # type: ignore[arg-type]
    browser = Wire(ConnectionType.CLIENT)
    browser.receive_data(peer.sent)
    answers = list(browser.events())
    codes = [int(answer.code) for answer in answers[-1:] if isinstance(answer, CloseConnection)]
    pongs = [bytes(answer.payload) for answer in answers if isinstance(answer, Pong)]
    assert len(pongs) + len(codes) == len(answers), "only pongs and, at the end, a close frame are answered"
    return Talk(messages, pongs, codes[0] if codes else None)


def read_with_wsproto(stream: bytes) -> Talk:
    """Read a stream as wsproto does, and say what the gateway should make of it."""
    wire, talk, part = Wire(ConnectionType.SERVER), Talk([], [], None), bytearray()
    wire.receive_data(stream)
    for event in wire.events():
        match event:
            case TextMessage() | BytesMessage():
                part += event.data.encode() if isinstance(event.data, str) else event.data
                if len(part) > LIMIT:
                    return talk._replace(code=Close.TOO_BIG)
                if event.message_finished:
                    talk.messages.append(part.decode() if isinstance(event.data, str) else bytes(part))
                    part = bytearray()
            case Ping(payload):
                talk.pings.append(bytes(payload))
            case CloseConnection(code):
                return talk._replace(code=NORMAL if code == NO_STATUS else int(code))
    return talk


def check_stream(cut: tuple[bytes, list[int]]) -> None:
    """Serve a stream in one read and in several: wsproto and both take the same messages and answer the same."""
    stream, places = cut
    ends = sorted({min(place, len(stream)) for place in places} | {0, len(stream)})
    talks = [
        read_with_wsproto(stream),
        serve_reads([stream]),
        serve_reads([stream[first:last] for first, last in pairwise(ends)]),
    ]
    codes = {talk.code for talk in talks}
    assert INTERNAL_ERROR not in codes
    for talk in talks:
        assert (talk.messages, talk.pings) == (talks[0].messages, talks[0].pings)
        assert all(len(one.encode() if isinstance(one, str) else one) <= LIMIT for one in talk.messages)
    assert len(codes) == 1 or may_differ(codes)


def may_differ(codes: set[int | None]) -> bool:
    """Tell whether readers may close with different codes: for what is wrong in two ways, and for what came after."""
    if codes == {PROTOCOL_ERROR, BAD_GATEWAY}:
        return True
    return codes <= {INVALID_TEXT, Close.TOO_BIG, PROTOCOL_ERROR, None} and Close.TOO_BIG in codes
