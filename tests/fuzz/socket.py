"""The socket's reader: it is held against wsproto, which reads the same bytes in a way of its own."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from wsproto.connection import Connection as Wire
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage
from wsproto.events import Ping as WirePing

from manyhands.wire import Close
from manyhands_gateway.reader import End, FrameReader, Ping, TooBig

#: Bytes of a message, few enough for some to be over it.
LIMIT = 1000
#: Close codes of RFC 6455.
PROTOCOL_ERROR, INVALID_TEXT = 1002, 1007
#: A code that wsproto does not know; the registry of such codes does.
BAD_GATEWAY = 1014
#: As many bytes as complete the head of any frame.
HEAD = bytes(14)


class Talk(NamedTuple):
    """What becomes of a connection."""

    messages: list[str | bytes]
    #: The payloads of the pings that came.
    pings: list[bytes]
    #: The code that ends it; None where it goes on.
    code: int | None


def read(reads: list[bytes]) -> Talk:
    """Read as the gateway does, up to the first message that is too big."""
    reader, talk = FrameReader(LIMIT), Talk([], [], None)
    for data in reads:
        for item in reader.feed(data):
            match item:
                case str() | bytes():
                    talk.messages.append(item)
                case Ping(payload):
                    talk.pings.append(payload)
                case TooBig():
                    return talk._replace(code=Close.TOO_BIG)
                case End(code):
                    return talk._replace(code=code)
    return talk


def read_with_wsproto(stream: bytes) -> Talk:
    """Read as wsproto does, up to the same."""
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
            case WirePing(payload):
                talk.pings.append(bytes(payload))
            case CloseConnection(code):
                return talk._replace(code=int(code))
    return talk


def check_stream(cut: tuple[bytes, list[int]]) -> None:
    """Read a stream at once and in pieces: the messages and the pings are those that wsproto finds."""
    stream, places = cut
    ends = sorted({min(place, len(stream)) for place in places} | {0, len(stream)})
    pieces = [stream[first:last] for first, last in pairwise(ends)]
    talks = [read_with_wsproto(stream), read([stream]), read(pieces)]
    for talk in talks:
        assert (talk.messages, talk.pings) == (talks[0].messages, talks[0].pings)
        assert all(len(one.encode() if isinstance(one, str) else one) <= LIMIT for one in talk.messages)
    codes = {talk.code for talk in talks}
    if codes == {None, PROTOCOL_ERROR}:
        # We refuse a frame by its first two bytes, wsproto when its head has come whole.
        assert read_with_wsproto(stream + HEAD).code == PROTOCOL_ERROR
    elif codes != {PROTOCOL_ERROR, BAD_GATEWAY}:
        # What is wrong in two ways is refused for the one or the other.
        assert len(codes) == 1 or (
            codes <= {INVALID_TEXT, Close.TOO_BIG, PROTOCOL_ERROR, None} and Close.TOO_BIG in codes
        )
