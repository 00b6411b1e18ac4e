"""How much of what an event prints the studio is told, and what it is told of assignments that no update tells."""

from __future__ import annotations

import msgpack

from manyhands_worker.allowance import A_SECOND, BURST, MOST_SOURCES, Allowance
from manyhands_worker.untold import LARGEST_VIEW, MOST, Untold


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_of_a_loop_that_prints_the_first_lines_are_told_and_at_its_end_how_many_were_not() -> None:
    allowance = Allowance(Clock())
    told = [allowance.take("loop") for _ in range(100_000)]
    assert told[: int(BURST)] == [0] * int(BURST)
    assert set(told[int(BURST) :]) == {None}
    assert allowance.end("loop") == 100_000 - BURST
    assert allowance.end("loop") == 0


def test_who_prints_on_is_told_again_with_how_many_were_left_out() -> None:
    clock = Clock()
    allowance = Allowance(clock)
    for _ in range(int(BURST) + 7):
        allowance.take("loop")
    clock.now += 0.5
    assert allowance.take("loop") is None
    clock.now += 0.5
    assert [allowance.take("loop") for _ in range(int(A_SECOND) + 1)] == [8, *[0] * (int(A_SECOND) - 1), None]


def test_one_that_prints_takes_nothing_from_the_others() -> None:
    allowance = Allowance(Clock())
    for _ in range(1000):
        allowance.take("loop")
    assert allowance.take("other") == 0


def test_sources_that_never_end_are_forgotten() -> None:
    allowance = Allowance(Clock())
    for number in range(2 * MOST_SOURCES):
        allowance.take(str(number))
    assert len(allowance._sources) == MOST_SOURCES


def test_private_keys_are_told_without_values_and_rooms_with_small_ones() -> None:
    untold = Untold(dev=True)
    large: bytes = msgpack.packb("x" * LARGEST_VIEW)
    small: bytes = msgpack.packb({"a": 1})
    untold.note([(("_secret",), None), (("@room", "x"), small), (("@room", "y"), large)])
    assert untold.told() == [
        {"path": ("_secret",), "is_shown": False},
        {"path": ("@room", "x"), "is_shown": True, "value": {"a": 1}},
        {"path": ("@room", "y"), "is_shown": False},
    ]


def test_nothing_is_noted_outside_of_dev_and_in_dev_a_bounded_number() -> None:
    for dev, most in ((False, 0), (True, MOST)):
        untold = Untold(dev=dev)
        for number in range(2 * MOST):
            untold.note([((f"_{number}",), None)])
        assert len(untold.told()) == most
