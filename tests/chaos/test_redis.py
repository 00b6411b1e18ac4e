"""Redis itself dies and comes back: nothing accepted is lost, and everything finds its way back alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.browser import Tab
from support.fleet import Fleet
from support.processes import DRAIN
from support.redis_server import RedisServer
from support.waiting import wait_until

FleetOf = Callable[..., Fleet]


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that saves every write before it answers."""
    server = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always", "--save", "")
    server.start()
    yield server
    server.kill()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def family(pid: int) -> list[int]:
    """Give a process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def test_redis_is_killed_and_comes_back(fleet_of: FleetOf, durable: RedisServer) -> None:
    fleet = fleet_of(gateways=2, workers=2, environ={"REDIS_URL": durable.url, "MANYHANDS_LEASE": "1"})
    tabs = [fleet.tab(i % 2) for i in range(6)]
    fired = [(tab, [tab.fire("append", i) for i in range(40)]) for tab in tabs]
    for tab, numbers in fired:
        tab.wait_accepted(numbers[19])
    durable.kill()
    rejected = [away(tab) for tab in tabs]
    assert {one["code"] for one in rejected} == {"unavailable"}
    assert all(one["retry_after"] for one in rejected)
    assert "redis" in fleet.readiness(status=503)["reasons"]
    assert spins(fleet) < 0.1
    durable.start()
    fleet.readiness(0)
    fleet.readiness(1)
    for tab, numbers in fired:
        come_back(tab, numbers)
    for tab, numbers in fired:
        for n in numbers:
            assert tab.wait_done(n, 30)["ok"]
        assert tab.state["log"] == list(range(40))
        assert tab.call("show_state")["result"]["log"] == list(range(40))


def away(tab: Tab) -> dict[str, object]:
    """Fire while Redis is away, and give what the gateway says of it."""
    n = tab.fire("append", 99)
    tab.wait_for(lambda: any(one["n"] == n for one in tab.rejections), 15, "`rejected`")
    return next(one for one in tab.rejections if one["n"] == n)


def spins(fleet: Fleet) -> float:
    """Measure the largest share of a core that a process of the fleet uses while it waits for Redis."""
    pids = [pid for process in (*fleet.workers, *fleet.gateways) for pid in family(process.pid)]
    before, began = {pid: cpu_seconds(pid) for pid in pids}, time.monotonic()
    wait_until(lambda: time.monotonic() - began > 5, 10, "five seconds without Redis")
    passed = time.monotonic() - began
    return max((cpu_seconds(pid) - used) / passed for pid, used in before.items())


def come_back(tab: Tab, numbers: list[int]) -> None:
    """Do as a browser does: send again, with the same numbers, what was not accepted."""
    if tab.closed:
        tab.reconnect()
    for i, n in enumerate(numbers):
        if n not in tab.accepted:
            tab.fire("append", i, n=n)


def test_a_gateway_and_a_worker_that_start_before_redis_serve_once_it_is_there(
    fleet_of: FleetOf, durable: RedisServer
) -> None:
    durable.stop()
    fleet = fleet_of(gateways=1, workers=0, environ={"REDIS_URL": durable.url})
    worker = fleet.processes.worker(fleet.app, environ=fleet.environ)
    assert worker.wait_for_exit() == 3
    assert "Redis" in worker.output
    assert "redis" in fleet.readiness(status=503)["reasons"]
    durable.start()
    fleet.add_worker()
    fleet.readiness()
    assert fleet.tab().call("increment")["ok"]


def test_a_worker_that_is_told_to_go_while_redis_is_away_goes_in_time(fleet_of: FleetOf, durable: RedisServer) -> None:
    fleet = fleet_of(workers=1, environ={"REDIS_URL": durable.url, "MANYHANDS_LEASE": "1"})
    tab = fleet.tab()
    tab.fire("slow_loop", 2)
    tab.wait_for(lambda: tab.state.get("rounds"))
    durable.kill()
    began = time.monotonic()
    assert fleet.workers[0].terminate(DRAIN) == 0
    assert time.monotonic() - began < DRAIN
