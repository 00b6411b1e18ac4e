"""Going down in order: what runs is finished or handed over, browsers are told, and the process is gone in time."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import websocket

from support.browser import Tab
from support.fleet import Fleet, wait_for_lines
from support.processes import DRAIN
from support.waiting import wait_until

FleetOf = Callable[..., Fleet]


def test_a_worker_finishes_its_detached_handlers_before_it_goes(fleet_of: FleetOf) -> None:
    fleet = fleet_of(workers=1)
    tab = fleet.tab()
    n = tab.fire("slow_loop", 3)
    tab.wait_for(lambda: tab.state.get("rounds"))
    began = time.monotonic()
    assert fleet.workers[0].terminate() == 0
    assert time.monotonic() - began < 10
    assert tab.wait_done(n)["result"] == "finished"


def test_what_is_not_finished_in_time_is_handed_over_at_once(fleet_of: FleetOf, tmp_path: Path) -> None:
    fleet = fleet_of(workers=1, environ={"MANYHANDS_LEASE": "60"})
    journal = tmp_path / "journal"
    tab = fleet.tab()
    told = tmp_path / "told"
    n = tab.fire("append_outside_when_told", [str(journal), "x", str(told)])
    wait_for_lines(journal, 1)
    leaving = fleet.workers[0]
    fleet.add_worker()
    assert leaving.terminate(DRAIN) == 0
    gone = time.monotonic()
    assert "handed over" in leaving.output
    wait_for_lines(journal, 2, 5)
    # With a lease of a minute nobody would have taken it over by now.
    assert time.monotonic() - gone < 5
    told.touch()
    assert tab.wait_done(n, 30)["ok"]
    assert tab.state["log"] == ["x"]
    assert journal.read_text().splitlines() == ["began x", "began x", "x"]


def test_a_worker_that_goes_takes_no_new_turns(fleet_of: FleetOf) -> None:
    fleet = fleet_of(workers=1)
    tab = fleet.tab()
    long = tab.fire("slow_loop", 4)
    tab.wait_for(lambda: tab.state.get("rounds"))
    fleet.workers[0].send(signal.SIGTERM)
    wait_until(lambda: "going down" in fleet.workers[0].output, 5, "word of its going down")
    later = tab.fire("increment")
    tab.wait_done(long)
    assert later not in tab.ended
    assert fleet.workers[0].wait_for_exit() == 0
    fleet.add_worker()
    assert tab.wait_done(later)["ok"]


@pytest.mark.timeout(180)
def test_a_gateway_with_a_thousand_connections_tells_them_all_and_goes(fleet_of: FleetOf) -> None:
    fleet = fleet_of(gateways=2, workers=1)
    tabs = [fleet.tab(0) for _ in range(1000)]
    busy = tabs[0]
    busy.call("increment")
    began = time.monotonic()
    fleet.gateways[0].send(signal.SIGTERM)
    assert fleet.gateways[0].wait_for_exit(DRAIN) == 0
    assert time.monotonic() - began < 25
    for tab in tabs:
        assert tab.wait_closed()[0] == 1012
    delays = [tab.others[0]["delay"] for tab in tabs]
    assert all(tab.others[0]["type"] == "restart" for tab in tabs)
    assert max(delays) - min(delays) > 0.5
    welcome = busy.reconnect(fleet.urls[1])
    assert welcome["resumed"]
    assert busy.call("increment")["ok"]
    assert busy.state["counter"] == 2


class Clicker(threading.Thread):
    """A browser that clicks without pause, and reconnects elsewhere when its gateway goes."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__(name="clicker")
        self.fleet, self.tab = fleet, fleet.tab()
        self.numbers: list[int] = []
        self.stopping = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.click()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.failure = error

    def click(self) -> None:
        n = self.tab.n + 1
        self.numbers.append(n)
        while n not in self.tab.ended:
            try:
                self.tab.fire("append", n, n=n)
                self.tab.wait_for(lambda: n in self.tab.ended or self.tab.closed, 20, f"end of {n}")
            except OSError:
                self.tab.closed = (1006, "could not send")
            if self.tab.closed:
                self.come_back()

    def come_back(self) -> None:
        def joined() -> bool:
            for url in self.fleet.urls:
                try:
                    self.tab.reconnect(url)
                except (OSError, AssertionError, websocket.WebSocketException):
                    continue
                return True
            return False

        wait_until(joined, 20, "gateway that takes the browser")


@pytest.mark.timeout(240)
def test_a_rolling_restart_under_load_loses_and_repeats_nothing(fleet_of: FleetOf) -> None:
    fleet = fleet_of(gateways=2, workers=2)
    clickers = [Clicker(fleet) for _ in range(6)]
    for clicker in clickers:
        clicker.start()
    try:
        for _ in range(2):
            old_gateway, old_url = fleet.gateways.pop(0), fleet.urls[0]
            fleet.add_gateway()
            old_gateway.send(signal.SIGTERM)
            assert old_gateway.wait_for_exit(DRAIN) == 0
            fleet.urls.remove(old_url)
            fleet.add_worker()
            assert fleet.workers.pop(0).terminate() == 0
    finally:
        for clicker in clickers:
            clicker.stopping.set()
        for clicker in clickers:
            clicker.join(60)
    for clicker in clickers:
        assert clicker.failure is None
        assert len(clicker.numbers) > 20
        final: Tab = clicker.tab
        assert final.call("show_state")["result"]["log"] == clicker.numbers
