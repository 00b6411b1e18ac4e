"""Frames as RFC 6455 has them: what we build by hand is what wsproto reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from manyhands.wire import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK
from manyhands_gateway.framing import MAX_REASON, PING, close_frame, data_frame, pong_frame


def read(frame: bytes) -> list[Event]:
    """Read as a browser does."""
    browser = Connection(ConnectionType.CLIENT)
    browser.receive_data(frame)
    return list(browser.events())


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 300_000])
def test_a_payload_of_any_size_arrives_whole(size: int) -> None:
    (message,) = read(data_frame(b"x" * size, SUBPROTOCOL_MSGPACK))
    assert isinstance(message, BytesMessage)
    assert bytes(message.data) == b"x" * size
    assert message.message_finished


def test_json_travels_as_text() -> None:
    (message,) = read(data_frame('{"a":"é"}'.encode(), SUBPROTOCOL_JSON))
    assert isinstance(message, TextMessage)
    assert message.data == '{"a":"é"}'


def test_frames_that_are_joined_are_still_read_one_by_one() -> None:
    messages = read(data_frame(b"1", SUBPROTOCOL_JSON) + PING + data_frame(b"2", SUBPROTOCOL_JSON))
    assert [type(message) for message in messages] == [TextMessage, Ping, TextMessage]


def test_a_close_says_code_and_reason() -> None:
    (close,) = read(close_frame(4001, "unknown session"))
    assert isinstance(close, CloseConnection)
    assert (close.code, close.reason) == (4001, "unknown session")


@given(st.text(min_size=100, max_size=300))
def test_a_long_reason_is_cut_between_characters(reason: str) -> None:
    (close,) = read(close_frame(4000, reason))
    assert isinstance(close, CloseConnection)
    assert reason.startswith(close.reason or "")
    assert len((close.reason or "").encode()) <= MAX_REASON


def test_a_pong_repeats_the_pings_payload() -> None:
    (pong,) = read(pong_frame(b"abc"))
    assert isinstance(pong, Pong)
    assert bytes(pong.payload) == b"abc"
