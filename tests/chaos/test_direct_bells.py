"""Sessions that click again: their worker hears of it directly, and where it can't, they are answered all the same."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from manyhands.keys import Keys
from support.browser import Tab
from support.fleet import Fleet
from support.processes import Process
from support.redis_server import RedisServer
from support.waiting import wait_until

CROWD = str(Path(__file__).parent.parent / "apps" / "crowd")
#: A bell that nobody answers is rung again after a second, by a look once a second; a busy machine gets more.
FOUND = 8.0

FleetOf = Callable[..., Fleet]


def tasks_sent(redis_server: RedisServer) -> int:
    """Count what was ever put into a queue of Celery's in this Redis."""
    with contextlib.closing(redis_server.client()) as client:
        stats = client.info("commandstats")
    return int(stats.get("cmdstat_lpush", {}).get("calls", 0))


def near(fleet: Fleet, redis_server: RedisServer, tab: Tab) -> str:
    """Read where a session's next event is told first."""
    session = str(tab.token).rpartition(".")[0]
    with contextlib.closing(redis_server.client()) as client:
        return (client.hget(Keys(fleet.namespace).of_session(session)[0], "near") or b"").decode()


def warm_up(fleet: Fleet, redis_server: RedisServer, tab: Tab) -> None:
    """Click until a worker listens for the session."""

    def listens() -> bool:
        return tab.call("count")["ok"] and bool(near(fleet, redis_server, tab).strip())

    wait_until(listens, 10, "a worker that listens")


@contextlib.contextmanager
def stopped(process: Process) -> Iterator[None]:
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_a_session_that_clicks_again_sends_no_task(fleet_of: FleetOf, redis_server: RedisServer) -> None:
    fleet = fleet_of(app=CROWD, workers=1)
    tab = fleet.tab()
    warm_up(fleet, redis_server, tab)
    before = tasks_sent(redis_server)
    for _ in range(20):
        assert tab.call("count")["ok"]
    assert tasks_sent(redis_server) == before


def test_where_each_event_is_to_have_a_task_none_goes_without(fleet_of: FleetOf, redis_server: RedisServer) -> None:
    fleet = fleet_of(app=CROWD, workers=1, environ={"MANYHANDS_ONE_TASK_PER_EVENT": "1"})
    tab, other = fleet.tab(), fleet.tab()
    before = tasks_sent(redis_server)
    for n in [tab.fire("count") for _ in range(20)]:
        assert tab.wait_done(n)["ok"]
    for _ in range(5):
        assert other.call("count")["ok"]
    assert tasks_sent(redis_server) >= before + 25
    assert tab.state["counter"] == 20


def test_a_click_is_answered_soon_where_its_worker_was_killed(fleet_of: FleetOf, redis_server: RedisServer) -> None:
    fleet = fleet_of(app=CROWD, workers=1)
    tab = fleet.tab()
    warm_up(fleet, redis_server, tab)
    fleet.add_worker()
    fleet.workers[0].kill()
    began = time.monotonic()
    assert tab.call("count")["ok"]
    # Nobody listens any more, so Celery is told at once.
    assert time.monotonic() - began < FOUND


def test_clicks_are_answered_soon_where_their_worker_stands_still(fleet_of: FleetOf, redis_server: RedisServer) -> None:
    fleet = fleet_of(app=CROWD, workers=1)
    tabs = [fleet.tab() for _ in range(5)]
    for tab in tabs:
        warm_up(fleet, redis_server, tab)
    fleet.add_worker()
    with stopped(fleet.workers[0]):
        began = time.monotonic()
        for tab, n in [(tab, tab.fire("count")) for tab in tabs]:
            assert tab.wait_done(n)["ok"]
        assert time.monotonic() - began < FOUND
        # From now on the other one listens.
        for tab in tabs:
            assert tab.call("count", timeout=FOUND)["ok"]
    for tab in tabs:
        assert tab.call("count")["ok"]


def test_clicks_go_to_others_from_the_moment_at_which_their_worker_goes_down(
    fleet_of: FleetOf, redis_server: RedisServer
) -> None:
    fleet = fleet_of(app=CROWD, workers=1)
    slow, tab = fleet.tab(), fleet.tab()
    warm_up(fleet, redis_server, tab)
    n = slow.fire("sleep", 3)
    slow.call("count")
    going = fleet.workers[0]
    fleet.add_worker()
    going.send(signal.SIGTERM)
    counts = []
    while going.code is None and len(counts) < 500:
        began = time.monotonic()
        assert tab.call("count", timeout=FOUND)["ok"]
        counts.append(time.monotonic() - began)
    assert max(counts) < FOUND
    assert slow.wait_done(n)["ok"]
    assert going.wait_for_exit() == 0


def test_a_worker_with_no_room_lets_others_answer(fleet_of: FleetOf, redis_server: RedisServer) -> None:
    fleet = fleet_of(app=CROWD, workers=1, environ={"MANYHANDS_MAX_DETACHED": "1,1"})
    tab, slow = fleet.tab(), fleet.tab()
    warm_up(fleet, redis_server, tab)
    n = slow.fire("sleep", 6)
    # Detached, it is all that this worker may run.
    fleet.workers[0].wait_for_output("serving")
    slow.wait_accepted(n)
    waits = tab.fire("count")
    fleet.add_worker()
    assert tab.wait_done(waits, FOUND)["ok"]
    for _ in range(5):
        assert tab.call("count", timeout=FOUND)["ok"]
    assert not slow.has_ended(n)
    assert slow.wait_done(n)["ok"]


def test_a_slow_handler_that_fills_its_worker_leaves_clicks_to_others(
    fleet_of: FleetOf, redis_server: RedisServer
) -> None:
    fleet = fleet_of(app=CROWD, workers=0, environ={"MANYHANDS_TURN_LIMIT": "6"})
    fleet.workers.append(fleet.processes.worker(CROWD, "--concurrency", "1", environ=fleet.environ))
    fleet.readiness()
    tabs = [fleet.tab() for _ in range(3)]
    for tab in tabs:
        warm_up(fleet, redis_server, tab)
    slow = fleet.tab()
    n = slow.fire("sleep", 4)
    slow.wait_accepted(n)
    fleet.add_worker()
    for tab in tabs:
        assert tab.call("count", timeout=3)["ok"]
    assert not slow.has_ended(n)
    assert slow.wait_done(n)["ok"]
