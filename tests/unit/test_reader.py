"""What browsers send, cut into messages: wsproto plays the browser, and RFC 6455 says what ends the connection."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage
from wsproto.events import Ping as WsprotoPing
from wsproto.events import Pong as WsprotoPong

from manyhands_gateway.reader import BAD_TEXT, NO_STATUS, PROTOCOL_ERROR, End, FrameReader, Item, Ping, Pong, TooBig

LIMIT = 200_000
#: Gives the same in every process that collects these tests: frames are among their names.
SAME = random.Random(6455)


def masked(first: int, payload: bytes = b"", *, size: bytes | None = None, mask: bool = True) -> bytes:
    """Make a frame, however wrong. `size` stands for the second byte and what follows it, without the mask's bit."""
    if size is None:
        length = len(payload)
        size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2) if length < 65536 else (
            b"\x7f" + length.to_bytes(8))  # fmt: skip
    if not mask:
        return bytes([first]) + size + payload
    key = SAME.randbytes(4)
    body = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    return bytes([first, size[0] | 0x80]) + size[1:] + key + body


def read(data: bytes, piece: int = 1 << 20, limit: int = LIMIT) -> list[Item]:
    reader = FrameReader(limit)
    return [item for at in range(0, len(data), piece) for item in reader.feed(data[at : at + piece])]


MESSAGES = st.lists(
    st.tuples(st.text(max_size=300) | st.binary(max_size=300) | st.just(b"x" * 70_000), st.integers(1, 4)), max_size=5
)


@settings(max_examples=80, deadline=None)
@given(MESSAGES, st.integers(1, 70_100), st.booleans())
def test_what_a_browser_sends_is_read_whatever_the_parts_and_the_pieces(
    messages: list[tuple[str | bytes, int]], piece: int, pings: bool
) -> None:
    browser = Connection(ConnectionType.CLIENT)
    data, expected = b"", []
    for content, parts in messages:
        kind = TextMessage if isinstance(content, str) else BytesMessage
        step = len(content) // parts + 1
        for part in range(parts):
            data += browser.send(kind(content[part * step :][:step], message_finished=part == parts - 1))  # type: ignore[type-var]
            if pings:
                data += browser.send(WsprotoPing(b"?")) + browser.send(WsprotoPong(b"!"))
                expected.append([Ping(b"?"), Pong()])
        # Those in between come before the message, the last ones after it.
        expected[-1:] = [[content], expected[-1]] if pings else [*expected[-1:], [content]]
    data += browser.send(CloseConnection(4001, "bye"))

    assert read(data, piece) == [item for items in expected for item in items] + [End(4001, "bye")]


@pytest.mark.parametrize("size", [0, 1, 3, 4, 125, 126, 127, 65535, 65536, 100_000])
@pytest.mark.parametrize("piece", [1000, 1 << 20])
def test_a_message_of_any_size_is_read(size: int, piece: int) -> None:
    payload = SAME.randbytes(size)
    assert read(masked(0x82, payload), piece) == [payload]
    assert read(masked(0x81, b"a" * size), piece) == ["a" * size]


@pytest.mark.parametrize(
    "data",
    [
        masked(0xC1, b"a"), masked(0xA1, b"a"), masked(0x91, b"a"),
        *(masked(0x80 | opcode, b"a") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        masked(0x81, b"a", mask=False), masked(0x89, b"", mask=False),
        masked(0x09, b""), masked(0x08, b""), masked(0x0A, b""),
        masked(0x89, b"x" * 126)[:2], masked(0x88, b"x" * 70_000)[:2],
        masked(0x80, b"a"), masked(0x00, b"a"), masked(0x01, b"a") + masked(0x81, b"b"),
        masked(0x01, b"a") + masked(0x80, b"b") + masked(0x80, b"c"),
        masked(0x82, b"abc", size=b"\x7e\x00\x03"), masked(0x82, b"abc", size=b"\x7f" + (3).to_bytes(8)),
        masked(0x82, b"", size=b"\x7f" + (2**63).to_bytes(8)),
        masked(0x88, b"\x03"), *(masked(0x88, code.to_bytes(2))
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535)),
    ],
)  # fmt: skip
def test_what_the_protocol_forbids_ends_the_connection_at_once(data: bytes) -> None:
    *_, end = read(data + masked(0x81, b"later"))
    assert isinstance(end, End)
    assert end.code == PROTOCOL_ERROR
    assert end.reason
    assert read(data + masked(0x81, b"later"), piece=1)[-1] == end


@pytest.mark.parametrize(
    "data",
    [
        masked(0x81, b"\xff"), masked(0x81, b"\xe2\x98"), masked(0x81, b"\xed\xa0\x80"), masked(0x81, b"\xc0\x80"),
        masked(0x81, b"\xf4\x90\x80\x80"), masked(0x01, b"\xe2") + masked(0x80, b"\x98"), masked(0x88, b"\x03\xe8\xff"),
        masked(0x81, b"a" * 200 + b"\xff"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("piece", [1, 1 << 20])
def test_text_that_is_not_utf8_ends_the_connection(data: bytes, piece: int) -> None:
    (end,) = read(data, piece)
    assert isinstance(end, End)
    assert end.code == BAD_TEXT


def test_bad_text_is_found_before_its_message_is_whole() -> None:
    reader = FrameReader(LIMIT)
    assert reader.feed(masked(0x01, "é".encode())) == []
    assert reader.feed(masked(0x00, b"\xff")) == [End(BAD_TEXT, "text is not UTF-8")]
    assert FrameReader(LIMIT).feed(masked(0x81, b"\xff" + b"a" * 1000)[:20]) == [End(BAD_TEXT, "text is not UTF-8")]


def test_a_character_may_lie_across_frames() -> None:
    assert read(masked(0x01, b"\xe2") + masked(0x00) + masked(0x00, b"\x98") + masked(0x80, b"\x83")) == ["☃"]


def test_an_empty_close_has_no_status_and_nothing_is_read_after_it() -> None:
    reader = FrameReader(LIMIT)
    assert reader.feed(masked(0x88) + masked(0x81, b"late")) == [End(NO_STATUS)]
    assert reader.feed(masked(0x81, b"later")) == []


def test_a_message_beyond_the_limit_is_told_once_before_it_has_come_and_control_frames_are_still_read() -> None:
    reader = FrameReader(10)
    frame = masked(0x82, b"x" * 100_000)
    assert reader.feed(masked(0x82, b"x" * 10) + frame[:20]) == [b"x" * 10, TooBig()]
    assert reader.feed(frame[20:] + masked(0x82, b"x") + masked(0x82, b"y" * 11) + masked(0x89, b"p")) == [Ping(b"p")]
    assert reader.feed(masked(0x88)) == [End(NO_STATUS)]


def test_parts_count_together_against_the_limit() -> None:
    part = masked(0x00, b"xxx")
    assert read(masked(0x02, b"xxx") + part * 2 + masked(0x80, b"x"), limit=10) == [b"xxxxxxxxxx"]
    assert read(masked(0x02, b"xxx") + part * 3 + masked(0x80, b"x"), limit=10) == [TooBig()]


def test_a_million_empty_parts_cost_neither_time_nor_memory() -> None:
    reader = FrameReader(LIMIT)
    part = masked(0x00) * 10_000
    reader.feed(masked(0x01, b"a"))
    began = time.perf_counter()
    for _ in range(20):
        assert reader.feed(part) == []
    assert time.perf_counter() - began < 5
    assert reader.feed(masked(0x80, b"b")) == ["ab"]
