"""What waits over the whole deployment: how often it is counted, and who is let through in between."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from manyhands.errors import Unavailable
from manyhands.store.contract import Waiting
from manyhands_gateway import backlog as backlog_module
from manyhands_gateway.backlog import RETRY_AFTER, Backlog

LIMIT = 100


class Counts:
    """Stands for a store: gives the count that the test sets, a new one unless the test keeps it."""

    def __init__(self) -> None:
        self.events = self.oldest = 0
        self.asked: list[bool] = []
        self.keeps = self.away = False
        self._last = Waiting(0, 0, 0)

    def waiting(self, *, fresh: bool = False) -> Waiting:
        self.asked.append(fresh)
        if self.away:
            raise Unavailable("Redis", "away")
        if not self.keeps:
            self._last = Waiting(self.events, self.oldest, len(self.asked))
        return self._last


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
def backlog(counts: Counts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backlog]:
    monkeypatch.setattr(backlog_module, "COUNT_EVERY", 0.05)
    monkeypatch.setattr(backlog_module, "COUNT_AGAIN", 0.01)
    made = Backlog(counts, LIMIT)  # type: ignore[arg-type]
    made.start()
    yield made
    made.stop()


def counted(counts: Counts, times: int = 2) -> None:
    """Let it be counted so often."""
    wanted = len(counts.asked) + times
    with gevent.Timeout(5):
        while len(counts.asked) < wanted:
            gevent.sleep(0.001)
        gevent.idle()


def admit(backlog: Backlog, tries: int) -> int:
    return sum(backlog.admit() for _ in range(tries))


def test_before_anything_was_counted_events_are_let_through_up_to_the_limit(backlog: Backlog) -> None:
    assert admit(backlog, 2 * LIMIT) == LIMIT
    assert backlog.events == LIMIT


def test_events_that_others_have_let_through_count_once_they_were_counted(backlog: Backlog, counts: Counts) -> None:
    counts.events, counts.oldest = 90, 1500
    counted(counts)
    assert (backlog.events, backlog.oldest) == (90, 1.5)
    assert admit(backlog, LIMIT) == 10


def test_while_as_many_wait_as_may_nothing_is_let_through_and_nothing_is_counted_more_often(
    backlog: Backlog, counts: Counts, caplog: pytest.LogCaptureFixture
) -> None:
    counts.events = LIMIT + 50
    counted(counts)
    before = len(counts.asked)
    assert admit(backlog, 1000) == 0
    counted(counts)
    assert not any(counts.asked[before:])
    counts.events = 20
    counted(counts)
    assert admit(backlog, LIMIT) == 80
    assert caplog.text.count("more are put off") == 1
    assert caplog.text.count("more are accepted again") == 1


def test_before_what_was_let_through_could_matter_a_fresh_count_is_asked_for(backlog: Backlog, counts: Counts) -> None:
    counted(counts)
    assert admit(backlog, LIMIT // 2 - 1) == LIMIT // 2 - 1
    counted(counts, 1)
    assert not any(counts.asked)
    counted(counts)
    assert admit(backlog, LIMIT // 2 + 1) == LIMIT // 2 + 1
    counted(counts, 1)
    assert counts.asked[-1]


def test_a_gateway_through_which_much_passes_is_not_held_up_by_a_small_limit(backlog: Backlog, counts: Counts) -> None:
    counts.events = 5
    for _ in range(20):
        assert admit(backlog, 40) == 40
        counted(counts)


def test_a_count_that_is_known_already_includes_nothing_new(backlog: Backlog, counts: Counts) -> None:
    counted(counts)
    counts.keeps = True
    assert admit(backlog, 60) == 60
    counted(counts, 3)
    assert backlog.events == 60
    assert admit(backlog, LIMIT) == 40


def test_while_the_store_is_away_what_is_known_holds(backlog: Backlog, counts: Counts) -> None:
    counts.events = 70
    counted(counts)
    counts.away = True
    counted(counts)
    assert admit(backlog, LIMIT) == 30
    counts.away, counts.events = False, 0
    counted(counts, 3)
    assert admit(backlog, LIMIT) == LIMIT


def test_those_who_are_put_off_come_back_one_after_another() -> None:
    least, most = RETRY_AFTER
    seconds = {Backlog.retry_after() for _ in range(200)}
    assert least <= min(seconds) < max(seconds) <= most
    assert len(seconds) > 10
