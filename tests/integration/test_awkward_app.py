"""Apps that log, raise, return and change things in ways that once silenced a session: every event ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manyhands.wire import Failure
from support.fleet import Fleet

APP = str(Path(__file__).parent.parent / "apps" / "awkward")

FleetOf = Callable[..., Fleet]


@pytest.mark.parametrize("dev", ["0", "1"])
def test_every_event_of_an_awkward_app_ends_and_the_next_one_works(fleet_of: FleetOf, dev: str) -> None:
    fleet = fleet_of(app=APP, workers=1, environ={"MANYHANDS_DEV": dev})
    tab = fleet.tab()
    assert tab.call("log_and_print")["ok"]
    for handler in ("raise_unspeakable", "raise_unspeakable_async", "raise_surrogate"):
        assert tab.call(handler)["error"]["code"] == Failure.HANDLER_FAILED
    assert tab.call("return_awkward")["error"]["code"] == Failure.NOT_SERIALISABLE
    assert tab.call("assign_awkward")["error"]["code"] == Failure.NOT_SERIALISABLE
    assert tab.state["fine"] == 1
    assert tab.call("increment")["ok"]
    assert tab.state["counter"] == 2
    assert "| printed" in fleet.log
    assert "logged" in fleet.log
    assert fleet.workers[0].terminate() == 0


def test_a_list_that_grows_while_it_is_sent_can_always_be_read(fleet_of: FleetOf) -> None:
    fleet = fleet_of(app=APP, workers=2)
    tab = fleet.tab()
    growing = tab.fire("grow_in_place", 60)
    tab.wait_for(lambda: "rows" in tab.state)
    for _ in range(20):
        assert tab.call("count_rows")["result"] is True
    assert not tab.has_ended(growing)
    tab.cancel(growing)
    assert tab.wait_done(growing)["error"]["code"] == Failure.CANCELLED


@pytest.mark.timeout(120)
def test_a_handler_that_kills_workers_takes_no_innocent_one_with_it(fleet_of: FleetOf) -> None:
    fleet = fleet_of(app=APP, workers=0, environ={"MANYHANDS_LEASE": "1"})
    fleet.workers.append(fleet.processes.worker(APP, "--processes", "2", environ=fleet.environ))
    fleet.readiness()
    innocents = [fleet.tab() for _ in range(4)]
    killer = fleet.tab()
    numbers = [(tab, tab.fire("last_long", 1.5)) for tab in innocents]
    n = killer.fire("kill_worker")
    assert killer.wait_done(n, 60)["error"]["code"] == Failure.WORKER_LOST
    for tab, number in numbers:
        assert tab.wait_done(number, 60)["result"] == "innocent"
