"""Handlers that run long, many of them, and what becomes of everybody else's clicks meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import psutil

from support.fleet import Fleet
from support.waiting import wait_until

#: Megabytes that a worker process may take while thousands of async handlers wait.
MEMORY = 300
SLEEPERS, NAPS = 64, 5000
#: Each session begins one of them per turn limit.
TABS = 250

FleetOf = Callable[..., Fleet]


def test_while_64_handlers_sleep_in_one_process_everybody_else_is_answered(fleet_of: FleetOf) -> None:
    fleet = fleet_of()
    tabs = [fleet.tab() for _ in range(SLEEPERS)]
    sleeping = [(tab, tab.fire("slow_loop", 30)) for tab in tabs]
    for tab in tabs:
        # Its first partial update: it is detached.
        tab.wait_for(lambda tab=tab: tab.state.get("rounds"), 30)  # type: ignore[misc]
    other = fleet.tab()
    for count in range(1, 21):
        assert other.call("increment")["ok"]
        assert other.state["counter"] == count
    assert not any(tab.has_ended(n) for tab, n in sleeping)


def test_5000_async_handlers_wait_at_the_same_time_in_one_process_of_300_megabytes(fleet_of: FleetOf) -> None:
    fleet = fleet_of()
    worker = psutil.Process(fleet.workers[0].pid)
    tabs = [fleet.tab() for _ in range(TABS)]
    each = NAPS // len(tabs)
    for tab in tabs:
        for _ in range(each):
            tab.fire("nap_until_told")
    for tab in tabs:
        tab.wait_for(lambda tab=tab: len(tab.accepted) == each, 60)  # type: ignore[misc]
    other = fleet.tab()
    wait_until(lambda: other.call("count_naps")["result"] == NAPS, 90, f"{NAPS} handlers that wait")
    assert worker.memory_info().rss < MEMORY * 2**20
    assert other.call("tell_naps")["ok"]
    for tab in tabs:
        tab.wait_for(lambda tab=tab: len(tab.ended) == each, 60)  # type: ignore[misc]
        assert all(end["ok"] for end in tab.ended.values())


def test_while_one_process_computes_clicks_go_to_the_other(fleet_of: FleetOf) -> None:
    fleet = fleet_of(workers=2)
    burning, others = fleet.tab(), [fleet.tab() for _ in range(4)]
    # Each session's next click is first offered to the process that had its last one.
    for tab in others:
        tab.call("who")
    n = burning.fire("compute", 3)
    busy = burning.wait_for(lambda: burning.state.get("computes"))
    at = [tab.call("who")["result"] for _ in range(5) for tab in others]
    assert not burning.has_ended(n)
    assert busy not in at
    assert burning.wait_done(n, 20)["result"] == busy
