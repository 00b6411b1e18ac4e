"""A browser that was away, or whose updates got lost on the way, gets each of them exactly once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from manyhands.store import limits
from support.fleet import Fleet
from support.redis_server import RedisServer

FleetOf = Callable[..., Fleet]


@pytest.fixture(scope="module")
def fleet(module_fleet_of: FleetOf) -> Fleet:
    """Two gateways and two workers that the tests share; each has a session of its own."""
    return module_fleet_of(gateways=2, workers=2)


def kill_pubsub(redis_server: RedisServer) -> None:
    """Cut the pub/sub connections of all gateways."""
    with redis_server.client() as client:
        client.client_kill_filter(_type="pubsub")


def test_updates_that_pubsub_dropped_are_found(fleet_of: FleetOf, tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    try:
        fleet = fleet_of(gateways=2, workers=1, environ={"REDIS_URL": server.url})
        tab = fleet.tab(0)
        other = fleet.tab(1, token=tab.token)
        for i in range(30):
            n = other.fire("append", i)
            if i % 5 == 0:
                kill_pubsub(server)
            other.wait_done(n, 15)
        for one in (tab, other):
            one.wait_for(lambda one=one: one.state["log"] == list(range(30)), 15)
            assert [update["seq"] for update in one.updates] == list(range(1, 31))
    finally:
        server.kill()


def test_a_reconnecting_browser_gets_exactly_what_it_missed_from_any_gateway(fleet: Fleet) -> None:
    away = fleet.tab(0)
    there = fleet.tab(1, token=away.token)
    for round_ in range(6):
        away.drop()
        for i in range(5):
            there.call("append", [round_, i])
        away.connect(fleet.urls[round_ % 2])
        welcome = away.join()
        assert "state" not in welcome
        away.wait_for(lambda: away.state == there.state)
    assert [update["seq"] for update in away.updates] == list(range(1, 31))


def test_nothing_slips_in_between_while_updates_flow(fleet: Fleet) -> None:
    """A browser joins again and again while others write: no gap, nothing twice (the tab itself checks both)."""
    writer = fleet.tab(0)
    away = fleet.tab(1, token=writer.token)
    numbers: list[int] = []
    for i in range(300):
        numbers.append(writer.fire("increment"))
        if i % 15 == 0:
            away.reconnect(fleet.urls[(i // 15) % 2])
        if i >= 60:
            # On a slow machine the mailbox would fill otherwise.
            writer.wait_done(numbers[i - 60], 30)
    writer.wait_done(numbers[-1], 30)
    away.wait_for(lambda: away.state["counter"] == 300, 15)
    assert [update["seq"] for update in away.updates] == list(range(1, 301))


def test_a_browser_that_missed_more_than_is_kept_gets_the_whole_state(fleet: Fleet) -> None:
    away = fleet.tab()
    there = fleet.tab(token=away.token)
    away.drop()
    # In parts, so that the mailbox never fills.
    for _ in range(limits.LOG_ENTRIES // 100 + 1):
        numbers = [there.fire("increment") for _ in range(100)]
        there.wait_done(numbers[-1], 30)
    away.connect()
    welcome = away.join()
    assert "state" in welcome
    assert away.state == there.state


def test_a_session_rolled_back_gives_its_browsers_the_whole_state(fleet: Fleet) -> None:
    tab = fleet.tab()
    tab.call("increment")
    tab.drop()
    tab.seq = 1000
    tab.connect()
    assert "state" in tab.join()
    assert tab.seq == 1
