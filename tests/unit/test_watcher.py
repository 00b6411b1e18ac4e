"""What the watcher credits a handler for, and when it acts."""

from __future__ import annotations

from typing import Any, cast

from manyhands_worker.run import Run
from manyhands_worker.watcher import STALL, Watched


def watched() -> Watched:
    return Watched(cast("Run", object()), lambda: None, lambda: None)


def test_a_process_that_stood_still_is_credited_in_full() -> None:
    one: Any = watched()
    one.credit(STALL + 2, most=0.2)
    assert one.grace == STALL + 2


def test_a_busy_process_is_credited_up_to_a_bound() -> None:
    one = watched()
    for _ in range(100):
        one.credit(0.05, most=0.2)
    assert one.grace == 0.2


def test_being_early_takes_nothing_away() -> None:
    one = watched()
    one.credit(0.1, most=0.2)
    one.credit(-0.05, most=0.2)
    one.credit(STALL, most=0.2)
    one.credit(0.1, most=0.2)
    assert one.grace == 0.1 + STALL
