"""The load generator's frames, against wsproto, which plays the gateway."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.connection import Connection
from wsproto.events import AcceptConnection, BytesMessage, Ping, Request

from manyhands.load.address import parse_address
from manyhands.load.framing import BrokenFrame, FrameReader, Handshake, HandshakeRefused, Opcode, encode_frame

ADDRESS = parse_address("http://example.org:81/app")
PROTOCOL = "manyhands.1.msgpack"


def answer(**options: str | None) -> tuple[Handshake, bytes]:
    """Begin a handshake, and give what a right server answers."""
    handshake = Handshake(ADDRESS)
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(handshake.request)
    (request,) = server.events()
    assert isinstance(request, Request)
    assert (request.target, request.host) == ("/app/_mh/ws", "example.org:81")
    assert request.subprotocols == [PROTOCOL]
    return handshake, server.send(AcceptConnection(subprotocol=options.get("subprotocol", PROTOCOL)))


def test_a_right_answer_opens_the_socket_and_what_follows_it_is_kept() -> None:
    handshake, data = answer()

    assert handshake.feed(data[:20]) is None
    assert handshake.feed(data[20:] + b"rest") == b"rest"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"HTTP/1.1 404 NOT FOUND\r\n\r\n", 404),
        (b"HTTP/1.1 503 Service Unavailable\r\nX: y\r\n\r\n", 503),
        (b"SSH-2.0-OpenSSH\r\n\r\n", None),
        (b"HTTP/1.1 101 OK\r\nSec-WebSocket-Accept: wrong\r\n\r\n", 101),
        (b"x" * 100_000, None),
    ],
)
def test_any_other_answer_is_refused(data: bytes, status: int | None) -> None:
    with pytest.raises(HandshakeRefused) as refused:
        Handshake(ADDRESS).feed(data)

    assert refused.value.status == status
    assert ADDRESS.url in str(refused.value)


def test_a_server_that_does_not_speak_our_subprotocol_is_refused() -> None:
    handshake, data = answer(subprotocol=None)

    with pytest.raises(HandshakeRefused, match=PROTOCOL):
        handshake.feed(data)


@pytest.mark.parametrize("size", [0, 1, 4, 125, 126, 65535, 65536, 100_000])
def test_a_server_reads_what_is_sent(size: int) -> None:
    payload = (bytes(range(256)) * (size // 256 + 1))[:size]
    server = Connection(ConnectionType.SERVER)
    server.receive_data(encode_frame(payload) + encode_frame(b"x", Opcode.PING))

    *pieces, last = server.events()
    assert b"".join(one.data for one in pieces if isinstance(one, BytesMessage)) == payload
    assert last == Ping(payload=b"x")


@given(
    st.lists(st.tuples(st.binary(max_size=70_000), st.booleans()), max_size=5),
    st.integers(1, 40_000),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_what_a_server_sends_is_read_whatever_the_pieces(
    messages: list[tuple[bytes, bool]], size: int, ping: bool
) -> None:
    server = Connection(ConnectionType.SERVER)
    data, expected = b"", []
    for payload, in_two in messages:
        if in_two:
            data += server.send(BytesMessage(payload[:10], message_finished=False))
        if ping:
            data += server.send(Ping(payload=b"?"))
            expected.append((int(Opcode.PING), b"?"))
        data += server.send(BytesMessage(payload[10:] if in_two else payload))
        expected.append((int(Opcode.BINARY), payload))

    reader = FrameReader()
    read = [one for start in range(0, len(data), size) for one in reader.feed(data[start : start + size])]
    assert read == expected


@pytest.mark.parametrize(
    "data",
    [
        encode_frame(b"masked"),
        b"\xc2\x00",
        b"\x80\x00",
        b"\x02\x00\x82\x01x\x02\x00",
        b"\x82\x7f" + (2**40).to_bytes(8),
    ],
    ids=["masked", "reserved bits", "a continuation of nothing", "one message within another", "too large"],
)
def test_what_is_no_frame_of_a_server_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenFrame):
        FrameReader().feed(data)
