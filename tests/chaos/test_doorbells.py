"""Doorbells may vanish: the events are in their mailboxes, and every one is run."""

from __future__ import annotations

import json
import os
import signal
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from manyhands import codec
from manyhands.doorbell import Doorbell
from manyhands.keys import Keys
from manyhands.letters import Body, encode_body
from manyhands.paths import encode_path
from manyhands.settings import Settings
from manyhands.store.contract import Letter, Session
from manyhands.store.redis_store import RedisStore
from support.browser import Tab
from support.fleet import Fleet, wait_for_lines
from support.rabbitmq import RabbitServer
from support.redis_server import RedisServer
from support.waiting import wait_until

FleetOf = Callable[..., Fleet]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of its own for Celery."""
    (tmp_path / "broker").mkdir()
    server = RedisServer(tmp_path / "broker")
    server.start()
    yield server
    server.kill()


def fire_many(fleet: Fleet, sessions: int, each: int) -> list[tuple[Tab, list[int]]]:
    """Fire increments in many sessions and wait until all are accepted."""
    fired = []
    for _ in range(sessions):
        tab = fleet.tab(len(fired) % len(fleet.urls))
        fired.append((tab, [tab.fire("increment") for _ in range(each)]))
    for tab, numbers in fired:
        tab.wait_accepted(numbers[-1], 30)
    return fired


def wait_for_all(fired: list[tuple[Tab, list[int]]], timeout: float) -> None:
    for tab, numbers in fired:
        for n in numbers:
            assert tab.wait_done(n, timeout)["ok"]
        assert tab.state["counter"] == len(numbers)


def doorbells(server: RedisServer, fleet: Fleet) -> list[str]:
    """Give the sessions named by all doorbells in the queue."""
    with server.client() as client:
        messages = client.lrange(Keys(fleet.namespace).queue(), 0, -1)
    return [session for one in messages for session, _ in json.loads(b64decode(json.loads(one)["body"]))[0][0]]


def test_with_the_queue_deleted_a_thousand_events_are_run(fleet_of: FleetOf, redis_server: RedisServer) -> None:
    fleet = fleet_of(gateways=2, workers=1)
    fleet.workers[0].terminate()
    fired = fire_many(fleet, 20, 50)
    assert len(doorbells(redis_server, fleet)) == 20
    with redis_server.client() as client:
        client.delete(Keys(fleet.namespace).queue())
    fleet.add_worker()
    fleet.add_worker()
    wait_for_all(fired, 30)


@pytest.mark.parametrize("concurrency", ["1", "8"])
def test_twenty_thousand_waiting_events_do_not_multiply_doorbells(
    fleet_of: FleetOf, redis_server: RedisServer, settings: Settings, concurrency: str
) -> None:
    """They wait for many seconds behind one worker, and no session is rung while its doorbell is out."""
    fleet = fleet_of(gateways=1, workers=1)
    store, doorbell = RedisStore(replace(settings, rate_limit=10**6)), Doorbell(settings)
    announced = store.announcement()
    assert announced is not None
    fleet.workers[0].terminate()
    sessions = [f"long-queue-{i}" for i in range(200)]
    body = encode_body(Body("increment"))
    for session in sessions:
        store.create(Session(session, announced.defaults, announced.version))
        receipts = store.accept([Letter(session, "c", n, body) for n in range(1, 101)])
        doorbell.ring([(session, one.ring) for one in receipts if one.ring])
    assert sorted(doorbells(redis_server, fleet)) == sorted(sessions)
    fleet.add_worker("--concurrency", concurrency)
    most = 0

    def queue_is_empty() -> bool:
        nonlocal most
        waiting = doorbells(redis_server, fleet)
        most = max(most, len(waiting) - len(set(waiting)))
        return not waiting

    wait_until(queue_is_empty, 90, "end of the queue")
    for session in sessions:
        wait_until(partial(counter_is, store, session, 100), 10, f"100 in {session}")
    assert most == 0
    assert "again" not in fleet.log
    doorbell.close()
    store.close()


def counter_is(store: RedisStore, session: str, expected: int) -> bool:
    welcome = store.welcome(session, "reader", None)
    assert welcome is not None
    assert welcome.fields is not None
    return codec.decode(welcome.fields.get(encode_path(("counter",)), b"\x00")) == expected


def test_while_the_broker_is_away_events_are_accepted_and_run_afterwards(
    fleet_of: FleetOf, broker: RedisServer
) -> None:
    fleet = fleet_of(gateways=2, workers=2, environ={"MANYHANDS_BROKER_URL": broker.url})
    # No worker has had a turn of this session, so none hears of its events without the broker; of the other's one does.
    tab, served = fleet.tab(), fleet.tab()
    served.call("increment")
    broker.kill()
    killed = time.monotonic()
    assert served.call("increment")["ok"]
    numbers = [tab.fire("increment") for _ in range(20)]
    tab.wait_accepted(numbers[-1])
    assert "broker" in json.dumps(fleet.readiness(status=503))
    # It is away for ten seconds; what is waited for is that time, and that nothing is rejected in it.
    assert not tab.read(10 - (time.monotonic() - killed))
    assert tab.rejections == []
    broker.start()
    for n in numbers:
        assert tab.wait_done(n, 30)["ok"]
    assert tab.state["counter"] == 20
    assert fleet.readiness()
    for gateway in range(2):
        other = fleet.tab(gateway)
        assert other.call("increment", timeout=20)["ok"]


def test_a_broker_that_hangs_costs_no_running_handler_its_lease(
    fleet_of: FleetOf, broker: RedisServer, tmp_path: Path
) -> None:
    fleet = fleet_of(workers=2, environ={"MANYHANDS_BROKER_URL": broker.url, "MANYHANDS_LEASE": "1"})
    journal, told = tmp_path / "journal", tmp_path / "told"
    long = [(tab, tab.fire("append_outside_when_told", [str(journal), "x", str(told)])) for tab in tabs_of(fleet, 3)]
    wait_for_lines(journal, 3)
    assert broker.pid is not None
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        waiting = fleet.tab()
        n = waiting.fire("increment")
        waiting.wait_accepted(n)
        # For four leases the broker says nothing, and so nothing comes.
        assert not waiting.read(4)
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    told.touch()
    for tab, number in long:
        assert tab.wait_done(number)["ok"]
    assert waiting.wait_done(n, 20)["ok"]
    assert journal.read_text().splitlines().count("began x") == 3


def tabs_of(fleet: Fleet, count: int) -> list[Tab]:
    return [fleet.tab() for _ in range(count)]


def test_with_rabbitmq_as_the_broker_everything_works(fleet_of: FleetOf, tmp_path: Path) -> None:
    rabbit = RabbitServer(tmp_path)
    rabbit.start()
    try:
        fleet = fleet_of(gateways=2, workers=2, environ={"MANYHANDS_BROKER_URL": rabbit.url})
        wait_for_all(fire_many(fleet, 10, 20), 30)
        long, tab = fleet.tab(), fleet.tab(1)
        n = long.fire("slow_loop", 1)
        assert tab.call("increment")["ok"]
        assert long.wait_done(n)["result"] == "finished"
        for worker in fleet.workers:
            assert worker.terminate() == 0
    finally:
        rabbit.kill()
