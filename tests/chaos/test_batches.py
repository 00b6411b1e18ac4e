"""What a worker plays in one go: sessions that share a batch, events that share a turn, and what becomes of both."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manyhands.wire import Failure
from support.browser import Tab
from support.fleet import Fleet, wait_for_lines
from support.lossy_wire import LossyWire
from support.redis_server import RedisServer
from support.waiting import wait_until

CROWD = str(Path(__file__).parent.parent / "apps" / "crowd")

FleetOf = Callable[..., Fleet]


@pytest.fixture
def wire(redis_server: RedisServer) -> Iterator[LossyWire]:
    """A wire to the Redis of the tests."""
    made = LossyWire(redis_server.url)
    yield made
    made.close()


@pytest.fixture
def behind_the_wire(fleet_of: FleetOf, wire: LossyWire) -> Fleet:
    """A fleet whose one worker reaches Redis through the wire."""
    fleet = fleet_of(app=CROWD, workers=0, environ={"MANYHANDS_LEASE": "2"})
    fleet.workers.append(fleet.processes.worker(CROWD, environ={**fleet.environ, "REDIS_URL": wire.url}))
    fleet.readiness()
    return fleet


def warm_up(tab: Tab) -> None:
    """Let its worker know the handlers: the first call of anything is slow."""
    for _ in range(8):
        tab.call("count")


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_killer_in_a_batch_uses_up_its_own_attempts_alone(fleet_of: FleetOf, tmp_path: Path, attempts: int) -> None:
    environ = {"MANYHANDS_LEASE": "1", "MANYHANDS_MAX_ATTEMPTS": str(attempts)}
    fleet = fleet_of(app=CROWD, workers=1, environ=environ)
    journal = tmp_path / "journal"
    tabs = [fleet.tab() for _ in range(30)]
    # While nobody is there to take them they come together.
    fleet.workers[0].kill()
    fired = [(tab, tab.fire("note", [str(journal), f"{i}-{j}"])) for i, tab in enumerate(tabs) for j in range(3)]
    killer = tabs[15]
    n = killer.fire("die", [str(journal), "killer"])
    after = killer.fire("note", [str(journal), "after"])
    killer.wait_accepted(after)
    fleet.workers.append(fleet.processes.worker(fleet.app, "--processes", "2", environ=fleet.environ))
    assert killer.wait_done(n, 40)["error"]["code"] == Failure.WORKER_LOST
    for tab, number in [*fired, (killer, after)]:
        assert tab.wait_done(number, 40)["ok"], tab.describe()
    lines = Counter(journal.read_text().splitlines())
    assert lines.pop("killer") == attempts
    assert set(lines.values()) == {1}
    assert len(lines) == 91


@pytest.mark.parametrize("seconds", [0.006, 0.02], ids=["quick", "slow"])
def test_a_worker_that_goes_gives_back_the_rest_of_its_batch(
    fleet_of: FleetOf, tmp_path: Path, seconds: float
) -> None:
    # With a lease of a minute, what is not given back would wait for so long.
    fleet = fleet_of(app=CROWD, workers=1, environ={"MANYHANDS_LEASE": "60"})
    journal = tmp_path / "journal"
    tabs = [fleet.tab() for _ in range(60)]
    fleet.workers[0].kill()
    numbers = {tab: tab.fire("note_and_sleep", [str(journal), "x", seconds]) for tab in tabs}
    for tab, n in numbers.items():
        tab.wait_accepted(n)
    going = fleet.add_worker()
    wait_for_lines(journal, 1)
    going.send(signal.SIGTERM)
    assert going.wait_for_exit() == 0
    before = len(wait_for_lines(journal, 2)) // 2
    assert before < 50
    fleet.add_worker()
    for tab, n in numbers.items():
        assert tab.wait_done(n)["ok"]
    began = [line for line in journal.read_text().splitlines() if line.startswith("began")]
    assert len(began) == 60


def test_what_waits_in_a_batch_can_be_cancelled(fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(app=CROWD, workers=1)
    journal = tmp_path / "journal"
    tabs = [fleet.tab() for _ in range(60)]
    fleet.workers[0].kill()
    numbers = {tab: tab.fire("note_and_sleep", [str(journal), "x", 0.006]) for tab in tabs}
    for tab, n in numbers.items():
        tab.wait_accepted(n)
    fleet.add_worker()
    wait_for_lines(journal, 1)
    for tab, n in numbers.items():
        tab.cancel(n)
    ends = [tab.wait_done(n) for tab, n in numbers.items()]
    cancelled = [end for end in ends if end["error"]]
    assert {end["error"]["code"] for end in cancelled} == {Failure.CANCELLED}
    assert len(cancelled) >= 20
    began = [line for line in journal.read_text().splitlines() if line.startswith("began")]
    assert len(began) == len(tabs) - len(cancelled)


@pytest.mark.parametrize("handler", ["count", "count_async"])
def test_what_waits_behind_an_event_can_be_cancelled(fleet_of: FleetOf, handler: str) -> None:
    fleet = fleet_of(app=CROWD, workers=1, environ={"MANYHANDS_TURN_LIMIT": "5"})
    tab = fleet.tab()
    warm_up(tab)
    first = tab.fire("sleep", 0.5)
    behind = [tab.fire(handler) for _ in range(6)]
    tab.wait_accepted(behind[-1])
    for n in behind[1::2]:
        tab.cancel(n)
    codes = [(tab.wait_done(n)["error"] or {}).get("code") for n in behind]
    assert codes == [None, Failure.CANCELLED] * 3
    assert tab.wait_done(first)["ok"]


def test_async_handlers_that_come_in_batches_keep_no_connection(fleet_of: FleetOf) -> None:
    # A process has 32 of them.
    fleet = fleet_of(app=CROWD, workers=1)
    tabs = [fleet.tab() for _ in range(6)]
    for _ in range(50):
        for tab, n in [(tab, tab.fire("count_async")) for tab in tabs]:
            assert tab.wait_done(n, 5)["ok"]


def test_slow_handlers_of_a_batch_run_one_by_one_where_one_may(fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(app=CROWD, workers=0, environ={"MANYHANDS_TURN_LIMIT": "5"})
    fleet.workers.append(fleet.processes.worker(CROWD, "--concurrency", "1", environ=fleet.environ))
    fleet.readiness()
    journal = tmp_path / "journal"
    tabs = [fleet.tab() for _ in range(8)]
    for tab, n in [(tab, tab.fire("note_and_sleep", [str(journal), "x", 0.06])) for tab in tabs]:
        assert tab.wait_done(n)["ok"]
    lines = [line.split()[0] for line in journal.read_text().splitlines()]
    assert lines == ["began", "ended"] * 8


def test_a_turn_limit_below_the_time_of_a_hand_off_holds_up_nobody(fleet_of: FleetOf) -> None:
    fleet = fleet_of(app=CROWD, workers=1, environ={"MANYHANDS_TURN_LIMIT": "0.001"})
    slow, quick = fleet.tab(), fleet.tab()
    warm_up(quick)
    n = slow.fire("sleep", 4)
    slow.wait_accepted(n)
    for _ in range(5):
        assert quick.call("count", timeout=3)["ok"]
    assert slow.call("count", timeout=3)["ok"]
    assert not slow.has_ended(n)
    assert slow.wait_done(n)["ok"]


def test_a_session_with_many_events_does_not_keep_others_waiting(fleet_of: FleetOf) -> None:
    fleet = fleet_of(app=CROWD, workers=1)
    busy, other = fleet.tab(), fleet.tab()
    warm_up(busy)
    warm_up(other)
    numbers = [busy.fire("sleep", 0.006) for _ in range(240)]
    busy.wait_done(numbers[5])
    # All of them take 1.5 s and more; a share is 0.1 s.
    for _ in range(3):
        assert other.call("count")["ok"]
    assert not busy.has_ended(numbers[-1])
    busy.wait_done(numbers[-1], 20)


def test_an_answer_that_is_lost_while_a_slow_handler_runs_lets_nothing_run_twice(
    behind_the_wire: Fleet, wire: LossyWire, tmp_path: Path
) -> None:
    fleet = behind_the_wire
    journal = tmp_path / "journal"
    tab = fleet.tab()
    warm_up(tab)
    tab.fire("sleep", 0.15)
    # These come together, behind the first. The answer to the end of the quick one gets lost.
    wire.lose_answers_to = b"quick-result"
    quick = tab.fire("echo", "quick-result")
    slow = tab.fire("note_and_sleep", [str(journal), "x", 0.1])
    last = tab.fire("count")
    for n in (quick, slow, last):
        assert tab.wait_done(n)["ok"]
    assert wire.lost.is_set()
    assert [line.split()[0] for line in journal.read_text().splitlines()] == ["began", "ended"]
    began = time.monotonic()
    assert fleet.workers[0].terminate() == 0
    # Nothing is thought to be running: it waits for nobody.
    assert time.monotonic() - began < 10


def test_a_commit_that_arrives_late_does_not_end_the_event_behind_it(
    behind_the_wire: Fleet, wire: LossyWire, tmp_path: Path
) -> None:
    fleet = behind_the_wire
    journal = tmp_path / "journal"
    tab = fleet.tab()
    warm_up(tab)
    tab.fire("sleep", 0.15)
    wire.hold_back = b"quick-result"
    quick = tab.fire("echo", "quick-result")
    slow = tab.fire("note_and_sleep", [str(journal), "x", 1.5])
    wait_until(wire.held.is_set, 10, "the commit of the quick one")
    # Meanwhile leases are renewed several times.
    wait_for_lines(journal, 2)
    wire.released.set()
    assert tab.wait_done(quick)["ok"]
    assert tab.wait_done(slow)["ok"]
    assert [line.split()[0] for line in journal.read_text().splitlines()] == ["began", "ended"]


def test_events_of_one_session_go_to_the_workers_of_their_queues_in_order(fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(app=CROWD, workers=0, environ={"MANYHANDS_ROUTES": "train_*=gpu,play_*=cpu"})
    common = fleet.add_worker()
    both = fleet.add_worker("--queues", "gpu,cpu")
    fleet.readiness()
    journal = tmp_path / "journal"
    tab, other = fleet.tab(), fleet.tab()
    pattern = ["train_here", "play_here", "note_here", "note_here", "train_here", "note_here"] * 5
    numbers = [tab.fire(name, [str(journal), i]) for i, name in enumerate(pattern)]
    for n in numbers:
        assert tab.wait_done(n, 20)["ok"]
    pids = {"train_here": both.pid, "play_here": both.pid, "note_here": common.pid}
    expected = [f"{i} {pids[name]}" for i, name in enumerate(pattern)]
    assert journal.read_text().splitlines() == expected
    # Without its workers, a queue holds up only those who need it.
    both.kill()
    waits = tab.fire("train_here", [str(journal), "later"])
    behind = tab.fire("count")
    for _ in range(3):
        assert other.call("count")["ok"]
    assert not tab.has_ended(waits)
    assert not tab.has_ended(behind)
    fleet.add_worker("--queues", "gpu")
    assert tab.wait_done(waits, 15)["ok"]
    assert tab.wait_done(behind)["seq"] > tab.ended[waits]["seq"]
