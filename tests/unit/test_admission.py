"""Who may open one more socket, with a clock that the test sets."""

from __future__ import annotations

import pytest

from manyhands.settings import Settings
from manyhands_gateway import admission as admission_module
from manyhands_gateway import budget
from manyhands_gateway.admission import FULL_RETRY_AFTER, Admission


class Clock:
    """Seconds, moved by the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(budget, "monotonic", made)
    return made


def status(admission: Admission, address: str) -> int | None:
    refusal = admission.enter(address)
    return refusal and refusal.status


def test_unless_it_is_asked_for_addresses_are_not_limited() -> None:
    admission = Admission(Settings(max_connections=5000))
    assert {status(admission, "a") for _ in range(5000)} == {None}
    assert status(admission, "b") == 503


def test_so_many_sockets_are_open_in_all_and_one_that_ends_makes_room() -> None:
    admission = Admission(Settings(max_connections=2))
    assert [status(admission, one) for one in "abc"] == [None, None, 503]
    admission.leave("a")
    assert [status(admission, one) for one in "cd"] == [None, 503]
    refusal = admission.enter("d")
    assert refusal is not None
    assert refusal.retry_after == FULL_RETRY_AFTER


def test_so_many_sockets_of_one_address_are_open_and_others_do_not_mind() -> None:
    admission = Admission(Settings(address_connections_or_none=2))
    assert [status(admission, one) for one in "aaab"] == [None, None, 429, None]
    admission.leave("a")
    assert [status(admission, one) for one in "aa"] == [None, 429]


def test_an_address_makes_bursts_of_handshakes_then_as_many_a_second_as_it_may(clock: Clock) -> None:
    admission = Admission(Settings(address_handshakes_or_none=0.5))
    assert [status(admission, "a") for _ in range(6)] == [None] * 5 + [429]
    refusal = admission.enter("a")
    assert refusal is not None
    assert refusal.retry_after == 2
    assert status(admission, "b") is None
    clock.now += 1.9
    assert status(admission, "a") == 429
    clock.now += 0.1
    assert [status(admission, "a") for _ in range(2)] == [None, 429]


def test_a_rate_so_low_that_a_burst_would_be_none_lets_one_in(clock: Clock) -> None:
    admission = Admission(Settings(address_handshakes_or_none=0.01))
    assert [status(admission, "a") for _ in range(2)] == [None, 429]


def test_what_is_kept_of_addresses_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_module, "MAX_ADDRESSES", 100)
    admission = Admission(Settings(address_handshakes_or_none=0.1, max_connections=10, address_connections_or_none=5))
    assert status(admission, "again") is None
    for number in range(1000):
        address = f"address {number}"
        if admission.enter(address) is None and number % 2:
            admission.leave(address)
        # Who asks again and again is not forgotten among the many.
        assert status(admission, "again") == 429
    assert len(admission._budgets) == 100
    assert len(admission._open) <= 10


def test_an_address_whose_sockets_have_all_ended_leaves_no_trace_among_the_open_ones() -> None:
    admission = Admission(Settings(address_connections_or_none=5))
    for _ in range(3):
        admission.enter("a")
    for _ in range(3):
        admission.leave("a")
    assert admission._open == {}
    assert admission._all == 0
