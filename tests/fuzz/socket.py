"""The socket layer without a socket: reads of a client's bytes in, messages and bytes for the client out."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import NamedTuple

from wsproto.connection import Connection as Wire
from wsproto.connection import ConnectionType
from wsproto.events import CloseConnection, Pong

from manyhands.wire import SUBPROTOCOL_JSON, Close
from manyhands_gateway.connection import Connection
from manyhands_gateway.socket import INTERNAL_ERROR, serve

#: Bytes of a message, few enough for some to be over it.
LIMIT = 1000
#: Close codes that may change places: a message can be too long in its first half and no UTF-8 in its second.
INVALID_TEXT = 1007


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

    def shutdown(self, how: int) -> None:
        """End."""


class Talk(NamedTuple):
    """What became of a connection."""

    messages: list[str | bytes]
    pongs: list[bytes]
    #: The close code; None where the gateway sent none.
    code: int | None


def serve_reads(reads: list[bytes]) -> Talk:
    """Serve a connection that ends after these reads."""
    peer, messages = Peer(reads), list[str | bytes]()
    server = SimpleNamespace(sock=peer, ws=SimpleNamespace(connection=Wire(ConnectionType.SERVER)), connected=True)
    conversation = SimpleNamespace(receive=messages.append, leave=lambda: None)
    serve(server, Connection(peer, SUBPROTOCOL_JSON, LIMIT), conversation, LIMIT)  # type: ignore[arg-type]
    browser = Wire(ConnectionType.CLIENT)
    browser.receive_data(peer.sent)
    answers = list(browser.events())
    codes = [int(answer.code) for answer in answers[-1:] if isinstance(answer, CloseConnection)]
    pongs = [bytes(answer.payload) for answer in answers if isinstance(answer, Pong)]
    assert len(pongs) + len(codes) == len(answers), "only pongs and, at the end, a close frame are answered"
    return Talk(messages, pongs, codes[0] if codes else None)


def check_stream(cut: tuple[bytes, list[int]]) -> None:
    """Serve a stream in one read and in several: the same messages are taken, and the same is answered."""
    stream, places = cut
    ends = sorted({min(place, len(stream)) for place in places} | {0, len(stream)})
    whole = serve_reads([stream])
    pieces = serve_reads([stream[first:last] for first, last in pairwise(ends)])
    assert pieces[:2] == whole[:2]
    assert pieces.code == whole.code or {pieces.code, whole.code} == {INVALID_TEXT, Close.TOO_BIG}
    assert whole.code != INTERNAL_ERROR
    for message in whole.messages:
        assert len(message.encode() if isinstance(message, str) else message) <= LIMIT
