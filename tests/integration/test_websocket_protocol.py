"""RFC 6455 against the real socket of a gateway, case by case, with bytes of our own making.

Each case is sent after a hello, in one piece and byte by byte. Its messages ask for a handler that does not exist: that
is answered at once and in order, and so shows which of them were read. A case says which are, which pings are answered,
and with which code the gateway closes, or that the connection goes on. Cases are numbered by what they are about:
1 framing, 2 pings and pongs, 3 reserved bits, 4 opcodes, 5 fragmentation, 6 UTF-8, 7 closing, 8 masking, 9 limits.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import msgpack
import pytest

from manyhands.letters import decode_body
from manyhands.settings import Settings
from support.browser import JSON, MSGPACK, Tab
from support.processes import Process, Processes
from support.raw_socket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    RawSocket,
    close,
    code_of,
    frame,
)
from support.redis_server import RedisServer
from support.stand_in import StandIn, session_of
from support.waiting import wait_until

SECRET = "only-for-tests-0123456789"
#: What a case ends with when its connection goes on.
GOES_ON = 0
#: Bytes of the largest payload here; a message may have a third and 64 KiB more.
MAX_PAYLOAD = 256 * 1024
LIMIT = MAX_PAYLOAD * 4 // 3 + 64 * 1024
#: Cases of more bytes are not sent byte by byte.
CHOPPED = 1000


@dataclass
class Site:
    url: str
    worker: StandIn
    process: Process


@pytest.fixture(scope="module")
def site(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = Settings(redis_url=redis_server.url, namespace=f"t{uuid.uuid4().hex[:12]}", secret_keys=(SECRET,))
    environ = {
        "REDIS_URL": settings.redis, "MANYHANDS_NAMESPACE": settings.namespace, "MANYHANDS_SECRET_KEY": SECRET,
        "MANYHANDS_MAX_PAYLOAD": str(MAX_PAYLOAD),
    }  # fmt: skip
    directory: Path = tmp_path_factory.mktemp("protocol")
    started = Processes(directory, environ)
    worker = StandIn(settings)
    worker.announce()
    try:
        process, url = started.gateway()
        yield Site(url, worker, process)
        assert process.code is None, "the gateway has ended"
        assert "Traceback" not in process.output
    finally:
        worker.close()
        started.end()
        print(started.outputs())


def event(n: int, payload: object = None) -> bytes:
    """Give an event for which there is no handler, as JSON."""
    return json.dumps({"type": "event", "n": n, "handler": "nothing", "payload": payload}, ensure_ascii=False).encode()


def event_of_size(size: int) -> bytes:
    """Give an event whose JSON has so many bytes."""
    return event(1, "x" * (size - len(event(1, ""))))


def pieces(data: bytes, *places: int, between: bytes = b"", opcode: int = TEXT) -> bytes:
    """Cut a message into frames."""
    ends = [0, *places, len(data)]
    frames = [
        frame(data[first:last], CONTINUATION if number else opcode, fin=number == len(ends) - 2)
        for number, (first, last) in enumerate(pairwise(ends))
    ]
    return between.join(frames)


@dataclass(frozen=True)
class Case:
    """What is sent, and what must come of it."""

    number: str
    about: str
    sent: bytes
    #: The close code; `GOES_ON` where the connection does.
    ends: int = GOES_ON
    #: The `n` of each message that is answered, in order; None for those that are no events.
    answered: tuple[int | None, ...] = ()
    pongs: tuple[bytes, ...] = ()


GOOD = event(1, "é☃😀")
#: Text that is no UTF-8: a byte that never occurs, an overlong slash, a surrogate, a number beyond Unicode, a lone
#: continuation, a character that has no end.
INVALID = (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x98")

CASES = [
    *(
        Case(f"1.1.{number}", f"a text message of {size} bytes", frame(event_of_size(size)), answered=(1,))
        for number, size in enumerate((124, 125, 126, 127, 128, 65534, 65535, 65536, 65537, MAX_PAYLOAD), 1)
    ),
    Case("1.2.1", "an empty text message", frame(b""), answered=(None,)),
    Case("1.2.2", "an empty binary message", frame(b"", BINARY), answered=(None,)),
    Case("1.2.3", "a binary message on a connection of text", frame(GOOD, BINARY), answered=(None,)),
    Case("1.3.1", "several messages in one segment", b"".join(frame(event(n)) for n in (1, 2, 3)), answered=(1, 2, 3)),
    Case("1.4.1", "126 in two bytes where one would do", b"\x81\xfe\x00\x7d" + bytes(129), 1002),
    Case("1.4.2", "65535 in eight bytes where two would do", b"\x81\xff" + (65535).to_bytes(8) + bytes(4), 1002),
    Case("1.4.3", "a length with its highest bit set", b"\x81\xff" + (2**63).to_bytes(8) + bytes(4), 1002),
    Case("2.1", "a ping without payload", frame(b"", PING), pongs=(b"",)),
    Case("2.2", "a ping with text", frame(b"hello", PING), pongs=(b"hello",)),
    Case("2.3", "a ping with bytes that are no text", frame(b"\x00\xff\xfe", PING), pongs=(b"\x00\xff\xfe",)),
    Case("2.4", "a ping of 125 bytes", frame(b"x" * 125, PING), pongs=(b"x" * 125,)),
    Case("2.5", "a ping of 126 bytes", frame(b"x" * 126, PING), 1002),
    Case("2.6", "a ping of 65536 bytes", frame(b"x" * 65536, PING), 1002),
    Case("2.7", "a pong that nobody asked for", frame(b"x", PONG)),
    Case("2.8", "a pong of 126 bytes", frame(b"x" * 126, PONG), 1002),
    Case("2.9", "ten pings at once", b"".join(frame(b"%d" % n, PING) for n in range(10)),
         pongs=tuple(b"%d" % n for n in range(10))),
    Case("2.10", "a ping in fragments", frame(b"x", PING, fin=False), 1002),
    *(
        Case(f"3.{number}", f"reserved bits {rsv:03b} of opcode {opcode}", frame(b"x", opcode, rsv=rsv), 1002)
        for number, (rsv, opcode) in enumerate(
            [(4, TEXT), (2, TEXT), (1, TEXT), (7, BINARY), (4, PING), (2, CLOSE), (1, PONG)], 1
        )
    ),
    Case("3.8", "a reserved bit after a good message", frame(GOOD) + frame(GOOD, rsv=4), 1002, answered=(1,)),
    Case("3.9", "a reserved bit within a message", frame(GOOD[:9], fin=False) + frame(GOOD[9:], 0, rsv=1), 1002),
    *(
        Case(f"4.{opcode}", f"the reserved opcode {opcode}", frame(b"", opcode), 1002)
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    ),
    Case("4.16", "a reserved opcode with a payload, after a good message", frame(GOOD) + frame(b"xx", 11), 1002, (1,)),
    Case("5.1", "a message in two", pieces(GOOD, 20), answered=(1,)),
    Case("5.2", "a message in bytes", pieces(GOOD, *range(1, len(GOOD))), answered=(1,)),
    Case("5.3", "empty fragments around one that is not", pieces(GOOD, 0, 0, len(GOOD), len(GOOD)), answered=(1,)),
    Case("5.4", "pings between fragments", pieces(GOOD, 5, 10, between=frame(b"p", PING)), answered=(1,),
         pongs=(b"p", b"p")),
    Case("5.5", "pongs between fragments", pieces(GOOD, 5, 10, between=frame(b"p", PONG)), answered=(1,)),
    Case("5.6", "a close between fragments", frame(GOOD[:9], fin=False) + close(1000) + frame(GOOD[9:], 0), 1000),
    Case("5.7", "a continuation of nothing", frame(GOOD, CONTINUATION), 1002),
    Case("5.8", "the beginning of a continuation of nothing", frame(b"", CONTINUATION, fin=False), 1002),
    Case("5.9", "a continuation after a whole message", frame(GOOD) + frame(b"x", CONTINUATION), 1002, (1,)),
    Case("5.10", "a new message within one", frame(GOOD[:9], fin=False) + frame(GOOD), 1002),
    Case("5.11", "a new binary message within one of text", frame(GOOD[:9], fin=False) + frame(b"x", BINARY), 1002),
    Case("5.12", "two messages in fragments", pieces(event(1), 9) + pieces(event(2), 4, 8), answered=(1, 2)),
    *(
        Case(f"6.1.{number}", f"text with {bad!r}", frame(GOOD + bad), 1007)
        for number, bad in enumerate(INVALID, 1)
    ),
    *(
        Case(f"6.2.{number}", f"text with {bad!r}, in fragments", pieces(GOOD + bad, 3, len(GOOD)), 1007)
        for number, bad in enumerate(INVALID, 1)
    ),
    Case("6.3.1", "characters cut by fragments", pieces("{é☃😀".encode(), 2, 4, 7, 8), answered=(None,)),
    Case("6.3.2", "a character cut by fragments and never ended", pieces("é☃".encode()[:-1], 1, 3), 1007),
    Case("6.3.3", "a character that an empty fragment leaves cut", frame(b"\xe2", fin=False) + frame(b"", 0), 1007),
    Case("6.3.4", "a character with a ping inside", pieces("é".encode(), 1, between=frame(b"", PING)), pongs=(b"",),
         answered=(None,)),
    Case("6.4.1", "no UTF-8 in a ping", frame(b"\xff", PING), pongs=(b"\xff",)),
    Case("7.1", "a close without a code", frame(b"", CLOSE), 1000),
    Case("7.2", "a close of one byte", frame(b"\x03", CLOSE), 1002),
    Case("7.3", "a close with a reason", close(1000, "até já".encode()), 1000),
    Case("7.4", "a close with the longest reason", close(1000, b"x" * 123), 1000),
    Case("7.5", "a close with a reason that is too long", close(1000, b"x" * 124), 1002),
    Case("7.6", "a close whose reason is no UTF-8", close(1000, b"\xce\xba\xff"), 1007),
    Case("7.7", "a message, a ping and another close after a close",
         close(1001) + frame(event(1)) + frame(b"", PING) + close(1000), 1001),
    Case("7.8", "a message before a close", frame(event(1)) + close(1000), 1000, (1,)),
    Case("7.9", "a close in fragments", frame(b"\x03\xe8", CLOSE, fin=False), 1002),
    *(
        Case(f"7.10.{code}", f"a close with {code}", close(code), code)
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999)
    ),
    *(
        Case(f"7.11.{code}", f"a close with {code}, which nobody may send", close(code), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    ),
    Case("8.1", "a message without a mask", frame(GOOD, mask=None), 1002),
    Case("8.2", "a ping without a mask", frame(b"", PING, mask=None), 1002),
    Case("8.3", "a close without a mask", frame(b"", CLOSE, mask=None), 1002),
    Case("8.4", "a mask of zeros", frame(GOOD, mask=bytes(4)), answered=(1,)),
    Case("8.5", "a mask of ones", frame(GOOD, mask=b"\xff" * 4), answered=(1,)),
    Case("8.6", "a fragment without a mask", frame(GOOD[:9], fin=False) + frame(GOOD[9:], 0, mask=None), 1002),
    Case("9.1", "a message at the limit", frame(b" " * LIMIT), answered=(None,)),
    Case("9.2", "a message over the limit", frame(b" " * (LIMIT + 1)), 1009),
    Case("9.3", "fragments that are together over the limit", pieces(b" " * (LIMIT + 1), LIMIT // 2, LIMIT - 5), 1009),
    Case("9.4", "a message of an exbibyte", b"\x81\xff" + (2**60).to_bytes(8) + b" " * (LIMIT + 5), 1009),
]  # fmt: skip


def answers(frames: list[Frame]) -> tuple[tuple[int | None, ...], tuple[bytes, ...]]:
    """Give the numbers of the messages that were answered, and the pongs."""
    envelopes = [json.loads(one.payload) for one in frames if one.opcode == TEXT]
    assert {one["type"] for one in envelopes} <= {"rejected"}
    return tuple(one["n"] for one in envelopes), tuple(one.payload for one in frames if one.opcode == PONG)


def read_until_pong(raw: RawSocket) -> list[Frame]:
    """Send a ping, and give what comes before its answer."""
    raw.send(frame(b"last", PING))
    frames: list[Frame] = []
    while not frames or frames[-1] != (PONG, b"last"):
        one = raw.read()
        assert one is not None, f"the connection has ended after {frames}"
        frames.append(one)
    return frames[:-1]


def play(case: Case, send: Callable[[RawSocket, bytes], None], url: str) -> None:
    """Send a case on a connection of its own, and check all that comes of it."""
    with RawSocket(url) as raw:
        raw.join()
        send(raw, case.sent)
        if case.ends == GOES_ON:
            assert answers(read_until_pong(raw)) == (case.answered, case.pongs)
            raw.send(close(1000))
        frames = raw.read_to_end()
        assert code_of(frames) == (case.ends or 1000)
        if case.ends != GOES_ON:
            assert answers(frames) == (case.answered, case.pongs)


each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number} {case.about}")
each_short_case = pytest.mark.parametrize(
    "case", [case for case in CASES if len(case.sent) <= CHOPPED], ids=lambda case: f"{case.number} {case.about}"
)


@each_case
def test_a_case_sent_in_one_piece(site: Site, case: Case) -> None:
    play(case, RawSocket.send, site.url)


@each_short_case
def test_a_case_sent_byte_by_byte(site: Site, case: Case) -> None:
    play(case, RawSocket.send_chopped, site.url)


def test_no_two_cases_have_the_same_number() -> None:
    assert len({case.number for case in CASES}) == len(CASES)


# --- messages of any size, whole ---


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 65537, MAX_PAYLOAD])
@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_a_payload_of_any_size_arrives_whole_in_one_frame_or_in_many(site: Site, subprotocol: str, size: int) -> None:
    payload = ("0123456789" * (size // 10 + 1))[:size]
    with Tab(site.url, subprotocol=subprotocol) as tab, RawSocket(site.url) as raw:
        assert raw.request({"Sec-WebSocket-Protocol": subprotocol})[0] == 101
        encode = msgpack.packb if subprotocol == MSGPACK else lambda value: json.dumps(value).encode()
        opcode = BINARY if subprotocol == MSGPACK else TEXT
        raw.send(frame(encode({"type": "hello", "client": "raw", "session": tab.token}), opcode))
        for n in (1, 2):
            message = encode({"type": "event", "n": n, "handler": "increment", "payload": payload})
            step = len(message) if n == 1 else len(message) // 7 + 1
            raw.send(pieces(message, *range(step, len(message), step), opcode=opcode))
        for n in (1, 2):
            wait_until(
                lambda: site.worker.store.welcome(session_of(tab.token), "raw", None).highest_n == 2, 10, "events"
            )
            turn = site.worker.begin(tab.token or "")
            assert (turn.n, decode_body(turn.body).payload) == (n, payload)
            site.worker.commit(turn)


# --- the end of a connection ---


def test_what_follows_a_close_is_not_run(site: Site) -> None:
    with Tab(site.url) as tab, RawSocket(site.url) as raw:
        assert raw.request()[0] == 101
        raw.send(frame(json.dumps({"type": "hello", "client": "raw", "session": tab.token}).encode()))
        raw.send(close(1000) + frame(b'{"type":"event","n":1,"handler":"increment"}'))
        assert code_of(raw.read_to_end()) == 1000
        tab.wait_accepted(tab.fire("increment"))
        assert site.worker.begin(tab.token or "").client == tab.client


@pytest.mark.parametrize("ends", [frame(b"x", 3), frame(b"\xff"), close(1000)], ids=["opcode", "text", "close"])
def test_a_close_frame_arrives_though_megabytes_follow_what_it_answers(site: Site, ends: bytes) -> None:
    with RawSocket(site.url) as raw:
        raw.join()
        with contextlib.suppress(ConnectionError):
            raw.send(ends + frame(b" " * 100_000) * 30)
        assert code_of(raw.read_to_end()) in (1000, 1002, 1007)


def test_a_client_that_sends_no_more_is_let_go_and_its_event_is_kept(site: Site) -> None:
    with Tab(site.url) as tab, RawSocket(site.url) as raw:
        assert raw.request()[0] == 101
        raw.send(frame(json.dumps({"type": "hello", "client": "raw", "session": tab.token}).encode()))
        raw.send(frame(b'{"type":"event","n":1,"handler":"increment"}'))
        raw.finish()
        raw.read_to_end()
        wait_until(lambda: tab.fire("increment"), 5, "an event")
        tab.wait_accepted(tab.n)
        assert site.worker.begin(tab.token or "").client == "raw"


@pytest.mark.parametrize("cut", range(0, len(frame(GOOD)), 7))
def test_a_client_that_ends_within_a_frame_is_let_go(site: Site, cut: int) -> None:
    with RawSocket(site.url) as raw:
        raw.join()
        raw.send(frame(GOOD)[:cut])
        raw.finish()
        assert raw.read_to_end() == []


# --- the handshake ---


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 101),
        ({"Connection": "keep-alive, Upgrade"}, 101),
        ({"Connection": "UPGRADE", "Upgrade": "WebSocket"}, 101),
        ({"Sec-WebSocket-Protocol": "chat, manyhands.1.msgpack"}, 101),
        ({"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}, 101),
        ({"Sec-WebSocket-Extensions": "nonsense;;,"}, 101),
        ({"Sec-WebSocket-Protocol": None}, 400),
        ({"Sec-WebSocket-Protocol": "chat"}, 400),
        ({"Sec-WebSocket-Protocol": ""}, 400),
        ({"Sec-WebSocket-Key": None}, 400),
        ({"Sec-WebSocket-Key": ""}, 400),
        ({"Sec-WebSocket-Key": "c2hvcnQ="}, 400),
        ({"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZSBhbmQgbW9yZQ=="}, 400),
        ({"Sec-WebSocket-Key": "this is no base64 at all"}, 400),
        ({"Sec-WebSocket-Version": "12"}, 426),
        ({"Sec-WebSocket-Version": "0"}, 426),
        ({"Sec-WebSocket-Version": "14"}, 426),
        ({"Sec-WebSocket-Version": "thirteen"}, 426),
        ({"Sec-WebSocket-Version": None}, 426),
        ({"Upgrade": None}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": None}, 426),
        ({"Connection": "close"}, 426),
        ({"Host": "a..b"}, 400),
        ({"Host": "x" * 70 + ".example"}, 400),
        ({"Host": "b\xfccher.example"}, 400),
        ({"Host": None}, 400),
        ({"X-Odd": "caf\xe9"}, 101),
    ],
)
def test_a_handshake_is_agreed_to_or_refused_with_a_status_that_says_why(
    site: Site, changed: dict[str, str | None], status: int
) -> None:
    with RawSocket(site.url) as raw:
        answered, headers = raw.request(changed)
        assert answered == status
        assert "sec-websocket-extensions" not in headers
        if status == 426:
            assert headers["sec-websocket-version"] == "13"


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "OPTIONS"])
def test_a_handshake_is_a_get(site: Site, method: str) -> None:
    with RawSocket(site.url) as raw:
        assert raw.request(method=method)[0] in (200, 405)


def test_a_handshake_is_http_1_1(site: Site) -> None:
    with RawSocket(site.url) as raw:
        assert raw.request(version="HTTP/1.0")[0] == 426
