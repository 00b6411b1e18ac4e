"""The protocol of one connection, frame by frame, without a socket."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgpack
import pytest

from manyhands.envelopes import Hello
from manyhands.letters import Body, decode_body
from manyhands.wire import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK, Rejection
from manyhands_gateway.protocol import Accept, Action, Cancel, Close, Join, Phase, Protocol, Reject

HELLO = {"type": "hello", "client": "tab"}
MAX_PAYLOAD = 10_000


class Browser:
    """Sends envelopes to a protocol of its own."""

    def __init__(self, subprotocol: str = SUBPROTOCOL_JSON) -> None:
        self.subprotocol = subprotocol
        self.protocol = Protocol(subprotocol, MAX_PAYLOAD)

    def send(self, envelope: Any) -> Sequence[Action]:
        if self.subprotocol == SUBPROTOCOL_JSON:
            return self.protocol.receive(json.dumps(envelope))
        return self.protocol.receive(bytes(msgpack.packb(envelope)))

    def fire(self, **fields: object) -> Action:
        (action,) = self.send({"type": "event", "n": 1, "handler": "h", **fields})
        return action


@pytest.fixture(params=[SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK])
def stranger(request: pytest.FixtureRequest) -> Browser:
    """A browser that has not said hello."""
    return Browser(request.param)


@pytest.fixture
def browser(stranger: Browser) -> Browser:
    """One that has."""
    stranger.send(HELLO)
    return stranger


def test_a_hello_joins(stranger: Browser) -> None:
    assert stranger.send({**HELLO, "session": "t", "seq": 3}) == [Join(Hello("tab", "t", 3))]
    assert stranger.protocol.phase is Phase.OPEN


def test_an_event_is_accepted_with_its_body(browser: Browser) -> None:
    action = browser.fire(payload={"a": [1, "é"]})
    assert isinstance(action, Accept)
    assert (action.handler, action.n) == ("h", 1)
    assert decode_body(action.body) == Body("h", {"a": [1, "é"]})


def test_an_event_may_leave_the_counting_to_us(browser: Browser) -> None:
    (action,) = browser.send({"type": "event", "handler": "h"})
    assert isinstance(action, Accept)
    assert action.n is None


def test_a_cancel_names_its_event(browser: Browser) -> None:
    assert browser.send({"type": "cancel", "n": 4}) == [Cancel(4)]


@pytest.mark.parametrize("envelope", [{"type": "event", "handler": "h"}, {"type": "cancel", "n": 1}])
def test_before_its_hello_a_browser_is_closed(stranger: Browser, envelope: object) -> None:
    assert stranger.send(envelope) == [Close(4000, "the first frame of a connection is a `hello`")]
    assert stranger.send(HELLO) == []


@pytest.mark.parametrize("first", [{"type": "hello"}, [], {"type": "what"}])
def test_a_first_frame_that_is_wrong_closes_with_the_reason(stranger: Browser, first: object) -> None:
    (action,) = stranger.send(first)
    assert isinstance(action, Close)
    assert action.code == 4000
    assert action.reason


def test_a_first_frame_that_can_not_be_decoded_closes() -> None:
    (action,) = Browser().protocol.receive("nonsense")
    assert isinstance(action, Close)
    assert action.code == 4000


@pytest.mark.parametrize("frame", ["nonsense", "[]", '{"type":"x"}', '{"type":"event","handler":1}', b"\x80", "NaN"])
def test_once_open_a_bad_frame_is_rejected_and_the_next_one_works(frame: str | bytes) -> None:
    browser = Browser()
    browser.send(HELLO)
    (action,) = browser.protocol.receive(frame)
    assert isinstance(action, Reject)
    assert action.code is Rejection.BAD_FRAME
    assert isinstance(browser.fire(), Accept)


def test_the_rejection_of_a_bad_event_carries_its_number(browser: Browser) -> None:
    action = browser.fire(n=12, handler=5)
    assert isinstance(action, Reject)
    assert action.n == 12


def test_a_second_hello_is_rejected(browser: Browser) -> None:
    (action,) = browser.send(HELLO)
    assert isinstance(action, Reject)
    assert action.code is Rejection.BAD_FRAME


def test_a_hello_that_could_not_be_answered_is_repeated(browser: Browser) -> None:
    browser.protocol.hello_failed()
    assert browser.send(HELLO) == [Join(Hello("tab"))]


def test_after_the_end_nothing_is_heard(browser: Browser) -> None:
    browser.protocol.closed()
    assert browser.send({"type": "event", "handler": "h"}) == []


@pytest.mark.parametrize("payload", ["x" * MAX_PAYLOAD, "é" * (MAX_PAYLOAD // 2)])
def test_a_payload_at_the_limit_is_accepted(browser: Browser, payload: str) -> None:
    assert isinstance(browser.fire(payload=payload), Accept)


@pytest.mark.parametrize("payload", ["x" * (MAX_PAYLOAD + 1), "é" * MAX_PAYLOAD, [0] * (MAX_PAYLOAD + 1)])
def test_a_larger_payload_is_rejected(browser: Browser, payload: object) -> None:
    action = browser.fire(payload=payload)
    assert isinstance(action, Reject)
    assert (action.n, action.code) == (1, Rejection.PAYLOAD_TOO_LARGE)
    assert str(MAX_PAYLOAD) in action.message


def test_bytes_are_measured_as_bytes_whatever_carries_them() -> None:
    browser = Browser(SUBPROTOCOL_MSGPACK)
    browser.send(HELLO)
    assert isinstance(browser.fire(payload=b"x" * MAX_PAYLOAD), Accept)
    assert isinstance(browser.fire(payload=b"x" * (MAX_PAYLOAD + 1)), Reject)


def test_a_huge_number_is_a_payload_like_any_other(browser: Browser) -> None:
    if browser.subprotocol == SUBPROTOCOL_JSON:
        action = browser.fire(payload=10**40)
        assert isinstance(action, Accept)
        assert decode_body(action.body).payload == 10**40


def test_an_event_whose_frame_cant_be_decoded_is_rejected_by_its_number(browser: Browser) -> None:
    deep: Any = []
    for _ in range(150):
        deep = [deep]
    (action,) = browser.send({"type": "event", "n": 2**53 - 1, "handler": "h", "payload": deep})
    assert isinstance(action, Reject)
    assert (action.n, action.code) == (2**53 - 1, Rejection.BAD_FRAME)


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"event","n":0,', '{"type":"event","n":-1,', '{"type":"event","n":1.5,', '{"type":"event","n":true,',
        '{"type":"event","n":9007199254740992,', '{"type":"event","n":1',
        '{"type":"cancel","n":1,', '["type"', "\ud800", "", b"", b"\x81", b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff" * 20, b"\x85\xa4type\xa5event\xa1n\xc3\xc1",
        b"\x85\xa4type\xa5event\xa1n\xdd\xff\xff\xff\xff", b"\x85\xa4type\xa5event\xa1n\xff\xc1",
    ],
)  # fmt: skip
def test_a_number_that_cant_be_told_is_not_guessed(frame: str | bytes) -> None:
    browser = Browser(SUBPROTOCOL_JSON if isinstance(frame, str) else SUBPROTOCOL_MSGPACK)
    browser.send(HELLO)
    (action,) = browser.protocol.receive(frame)
    assert isinstance(action, Reject)
    assert (action.n, action.code) == (None, Rejection.BAD_FRAME)
