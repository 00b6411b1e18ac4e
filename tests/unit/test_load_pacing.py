"""When a load test fires."""

from __future__ import annotations

import pytest

from manyhands.load.pacing import Backoff, Schedule


def test_events_are_due_evenly_spaced() -> None:
    schedule = Schedule(rate=4, start=10, end=11)

    assert schedule.due(9.9) == []
    assert schedule.next == 10
    assert schedule.due(10.5) == [10, 10.25, 10.5]
    assert schedule.next == 10.75


def test_what_is_late_keeps_its_time_and_nothing_is_left_out() -> None:
    schedule = Schedule(rate=1000, start=0, end=2)

    times = schedule.due(0.0005) + schedule.due(1.7) + schedule.due(50)

    assert len(times) == 2000
    assert times == pytest.approx([n / 1000 for n in range(2000)])
    assert schedule.next is None


def test_pauses_grow_to_the_longest_and_begin_again_after_success() -> None:
    backoff = Backoff(first=0.25, longest=1.0)

    assert [backoff.next(1.0) for _ in range(4)] == [0.25, 0.5, 1.0, 1.0]
    assert backoff.next(0.0) == 0.5
    backoff.reset()
    assert backoff.next(1.0) == 0.25
