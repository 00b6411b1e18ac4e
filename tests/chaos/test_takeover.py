"""Workers that die, stop or come back late: every event is run to its end, and committed once."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manyhands.wire import Failure
from support.fleet import Fleet, wait_for_lines
from support.processes import Process
from support.waiting import wait_until

LEASE = 1.0
#: Within the lease and 2 s another worker has begun, says the contract; a busy machine of two cores gets one more.
TAKEN_OVER = LEASE + 3.0
QUICK = {"MANYHANDS_LEASE": str(LEASE)}

FleetOf = Callable[..., Fleet]


def runner(fleet: Fleet, journal: Path) -> Process:
    """Find the worker that has begun the handler which writes a journal."""
    pid = int(Path(f"{journal}.pid").read_text())
    return next(worker for worker in fleet.workers if worker.pid == pid)


@pytest.mark.parametrize("seconds", [0.15, 1.5], ids=["in its turn", "detached"])
def test_the_event_of_a_killed_worker_is_run_by_another(fleet_of: FleetOf, tmp_path: Path, seconds: float) -> None:
    fleet = fleet_of(workers=1, environ={**QUICK, "MANYHANDS_TURN_LIMIT": "0.5"})
    journal = tmp_path / "journal"
    tab = fleet.tab()
    n = tab.fire("slow_append_outside", [str(journal), "x", seconds])
    wait_for_lines(journal, 1)
    if seconds > 1:
        # Its turn is over: the next event of the session has ended while it runs.
        tab.call("increment")
    fleet.workers[0].kill()
    killed = time.monotonic()
    fleet.add_worker()
    waiting = tab.fire("append", "after")
    wait_for_lines(journal, 2, TAKEN_OVER + 3)
    assert time.monotonic() - killed < TAKEN_OVER + 3
    assert tab.wait_done(n)["ok"]
    tab.wait_done(waiting)
    assert journal.read_text().splitlines() == ["began x", "began x", "x"]
    assert sorted(tab.state["log"]) == ["after", "x"]


def test_another_worker_takes_over_within_the_lease_and_two_seconds(fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(workers=2, environ=QUICK)
    journal = tmp_path / "journal"
    tab = fleet.tab()
    n = tab.fire("slow_append_outside", [str(journal), "x", 3])
    wait_for_lines(journal, 1)
    runner(fleet, journal).kill()
    killed = time.monotonic()
    wait_for_lines(journal, 2, TAKEN_OVER)
    assert time.monotonic() - killed < TAKEN_OVER
    assert tab.wait_done(n)["ok"]
    assert tab.state["log"] == ["x"]


def test_with_the_whole_fleet_down_events_wait_until_a_worker_returns(fleet_of: FleetOf) -> None:
    fleet = fleet_of(workers=1, environ=QUICK)
    tab = fleet.tab()
    tab.call("increment")
    fleet.workers[0].kill()
    numbers = [tab.fire("increment") for _ in range(20)]
    tab.wait_accepted(numbers[-1])
    fleet.add_worker()
    for n in numbers:
        assert tab.wait_done(n)["ok"]
    assert tab.state["counter"] == 21


def test_a_handler_that_kills_every_worker_ends_with_worker_lost(fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(workers=0, environ=QUICK)
    fleet.workers.append(fleet.processes.worker(fleet.app, "--processes", "2", environ=fleet.environ))
    fleet.readiness()
    journal = tmp_path / "journal"
    killer, other = fleet.tab(), fleet.tab()
    n = killer.fire("fatal.kill_worker", str(journal))
    wait_for_lines(journal, 1)
    fired = time.monotonic()
    assert other.call("increment", timeout=TAKEN_OVER + 5)["ok"]
    assert time.monotonic() - fired < TAKEN_OVER + 5
    done = killer.wait_done(n, 30)
    assert done["error"]["code"] == Failure.WORKER_LOST
    assert journal.read_text().splitlines() == ["began"] * 3
    assert killer.call("increment")["ok"]
    assert other.call("increment")["ok"]


def test_a_worker_that_was_stopped_beyond_its_lease_writes_nothing(fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(workers=1, environ={**QUICK, "MANYHANDS_TURN_LIMIT": "5"})
    first = fleet.workers[0]
    journal = tmp_path / "journal"
    tab = fleet.tab()
    n = tab.fire("slow_append_outside", [str(journal), "x", 0.5])
    wait_for_lines(journal, 1)
    with stopped(first):
        fleet.add_worker()
        assert tab.wait_done(n, TAKEN_OVER + 5)["ok"]
        seq = tab.seq
    first.wait_for_output("taken over by another worker", 10)
    assert tab.call("show_state")["result"]["log"] == ["x"]
    assert tab.seq == (seq or 0) + 1
    # It is as good as new for what comes next.
    fleet.workers[1].kill()
    assert tab.call("increment", timeout=TAKEN_OVER + 5)["ok"]


@contextlib.contextmanager
def stopped(process: Process) -> Iterator[None]:
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_a_worker_killed_right_after_its_commit_repeats_nothing(fleet_of: FleetOf) -> None:
    fleet = fleet_of(workers=1, environ=QUICK)
    tab = fleet.tab()
    for expected in range(1, 4):
        n = tab.fire("increment")
        tab.wait_done(n)
        fleet.workers[-1].kill()
        fleet.add_worker()
        assert tab.call("show_state")["result"]["counter"] == expected
    assert len([update for update in tab.updates if update["set"]]) == 3


def test_the_same_number_through_two_gateways_at_once_runs_once(fleet_of: FleetOf) -> None:
    fleet = fleet_of(gateways=2, workers=2)
    tab = fleet.tab(0)
    twin = fleet.tab(1, token=tab.token, client=tab.client)
    for n in range(1, 41):
        tab.fire("append", n, n=n)
        twin.fire("append", n, n=n)
    for n in range(1, 41):
        tab.wait_done(n)
    assert tab.state["log"] == list(range(1, 41))
    twin.wait_for(lambda: twin.state["log"] == tab.state["log"])


def test_a_detached_handler_that_is_taken_over_goes_on_from_what_was_committed(fleet_of: FleetOf) -> None:
    fleet = fleet_of(workers=1, environ=QUICK)
    tab = fleet.tab()
    n = tab.fire("slow_loop", 4)
    tab.wait_for(lambda: tab.state.get("rounds", 0) > 5)
    tab.call("append", "meanwhile")
    fleet.workers[0].kill()
    fleet.add_worker()
    before = len(tab.updates)
    assert tab.wait_done(n, TAKEN_OVER + 10)["result"] == "finished"
    partial = [one for one in tab.updates[before:] if one["event"]["n"] == n and not one["done"]]
    assert len(partial) >= 10
    assert tab.state["log"] == ["meanwhile"]
    wait_until(lambda: tab.call("show_state")["result"]["rounds"] == tab.state["rounds"], 5, "the same rounds")
