"""`manyhands load` and Locust against a real fleet: short loads whose figures are not judged, only their checks."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from manyhands.load.address import parse_address
from manyhands.load.blocking import BlockingClient
from manyhands.load.session import EventRefused, Session
from manyhands.load.tally import Tally
from support.fleet import Fleet
from support.processes import Process, Processes
from support.waiting import free_port, wait_until

LOCUSTFILE = Path(__file__).parents[2] / "deploy" / "locustfile.py"
#: Seconds within which a short load ends on a busy machine.
ENDS = 60.0


@pytest.fixture(scope="module")
def fleet(module_fleet_of: Callable[..., Fleet]) -> Fleet:
    """A fleet that the tests share; each load has its own sessions."""
    return module_fleet_of()


@pytest.fixture
def load(processes: Processes) -> Callable[..., Process]:
    """Start `manyhands load`."""
    return lambda *arguments: processes.manyhands("load", *arguments)


def test_in_a_closed_loop_every_event_ends_once_and_every_state_is_exact(
    fleet: Fleet, load: Callable[..., Process], tmp_path: Path
) -> None:
    figures, plot = tmp_path / "figures.json", tmp_path / "plot.png"
    process = load(fleet.urls[0], "--sessions", "20", "--duration", "3", "--warmup", "0.5",
                   "--json", str(figures), "--plot", str(plot))  # fmt: skip

    assert process.wait_for_exit(ENDS) == 0, process.output
    found = json.loads(figures.read_text())
    assert (found["mode"], found["sessions"], found["handler"], found["key"]) == ("closed", 20, "increment", "counter")
    assert found["right"] is True
    assert found["problems"] == found["errors"] == {}
    assert found["events"]["fired"] == found["events"]["ended"] >= found["events"]["measured"] > 0
    assert 0 < found["latency_ms"]["min"] <= found["latency_ms"]["p50"] <= found["latency_ms"]["max"]
    assert found["seconds"]
    assert plot.stat().st_size > 1000
    assert "every `counter` is exact" in process.output
    assert re.search(r"\d events/s .* under way", process.output)


def test_in_an_open_loop_as_many_events_are_fired_as_asked_for(fleet: Fleet, load: Callable[..., Process]) -> None:
    process = load(fleet.urls[0], "--sessions", "5", "--rate", "40", "--duration", "1", "--warmup", "0",
                   "--handler", "show", "--payload", '{"a": 1}', "--json", "-")  # fmt: skip

    assert process.wait_for_exit(ENDS) == 0, process.output
    found = json.loads(process.output[process.output.index("{\n") :])
    assert (found["mode"], found["rate"], found["key"]) == ("open", 40, None)
    assert found["events"]["fired"] == found["events"]["ended"] == 40


def test_a_state_that_is_wrong_is_found(fleet: Fleet, load: Callable[..., Process]) -> None:
    process = load(fleet.urls[0], "--sessions", "2", "--duration", "0.5", "--warmup", "0", "--key", "user.age")

    assert process.wait_for_exit(ENDS) == 1
    assert "`user.age` is 3, expected" in process.output


def test_events_that_fail_are_counted_by_code(fleet: Fleet, load: Callable[..., Process]) -> None:
    process = load(fleet.urls[0], "--sessions", "2", "--duration", "0.5", "--warmup", "0", "--handler", "fail")

    assert process.wait_for_exit(ENDS) == 1
    assert "handler_failed: " in process.output


def test_an_unknown_handler_ends_it_at_once(fleet: Fleet, load: Callable[..., Process]) -> None:
    process = load(fleet.urls[0], "--handler", "incremnt", "--duration", "600")

    assert process.wait_for_exit(ENDS) == 1
    assert "increment" in process.output.replace("incremnt", "")


def test_nothing_that_answers_is_unreachable(load: Callable[..., Process]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    process = load(url, "--duration", "600")

    assert process.wait_for_exit(ENDS) == 3
    assert f"{url} does not answer" in process.output


def test_what_answers_but_is_no_gateway_is_wrong(fleet: Fleet, load: Callable[..., Process]) -> None:
    process = load(f"{fleet.urls[0]}/nowhere", "--duration", "600")

    assert process.wait_for_exit(ENDS) == 1
    assert "404" in process.output


def test_a_gateway_that_restarts_during_the_load_is_no_error(
    fleet_of: Callable[..., Fleet], load: Callable[..., Process], processes: Processes, tmp_path: Path
) -> None:
    fleet = fleet_of()
    figures = tmp_path / "figures.json"
    process = load(fleet.urls[0], "--sessions", "5", "--rate", "20", "--duration", "600", "--json", str(figures))
    process.wait_for_output("under way")

    assert fleet.gateways[0].terminate() == 0
    port = str(urlsplit(fleet.urls[0]).port)
    processes.manyhands("gateway", "--host", "127.0.0.1", "--port", port, environ=fleet.environ)
    process.wait_for_output(r"p50 .* [5-9] reconnects\n")
    process.send(signal.SIGINT)

    assert process.wait_for_exit(ENDS) == 0, process.output
    found = json.loads(figures.read_text())
    assert found["right"] is True
    assert found["connections"]["reconnects"] >= 5
    assert found["connections"]["closes"]["1012"] >= 1
    assert 0 < found["duration_s"] < 600


def test_a_blocking_client_resumes_and_stops_at_what_makes_no_sense(fleet: Fleet) -> None:
    tally = Tally()
    session = Session(tally, ("counter",))
    client = BlockingClient(parse_address(fleet.urls[0]), session)
    client.start()
    try:
        client.fire("increment", None, 0.0)
        wait_until(lambda: tally.events_ended == 1, 10, lambda: "no end")
        client.drop()
        client.fire("increment", None, 0.0)
        wait_until(lambda: tally.events_ended == 2, 10, lambda: "no end after a reconnect")
        session.check_counter()
        assert not tally.problems
        client.fire("nothing", None, 0.0)
        wait_until(lambda: client.failure is not None, 10, lambda: "the refusal was not noticed")
        assert isinstance(client.failure, EventRefused)
    finally:
        client.close()


def test_locust_users_are_sessions(fleet: Fleet, processes: Processes, tmp_path: Path) -> None:
    process = processes.start(
        *(sys.executable, "-m", "locust", "--locustfile", str(LOCUSTFILE), "--headless", "--host", fleet.urls[0]),
        *("--users", "3", "--spawn-rate", "3", "--stop-timeout", "5", "--only-summary"),
        *("--csv", str(tmp_path / "locust"), "--exit-code-on-error", "1"),
    )
    # It writes its statistics while it runs.
    wait_until(lambda: requests_of(tmp_path), ENDS, lambda: f"requests; {process.output}")
    process.send(signal.SIGTERM)

    assert process.wait_for_exit(ENDS) == 0, process.output
    (row,) = requests_of(tmp_path)
    name, requests, failures = row[1:4]
    assert name == "increment"
    assert int(requests) > 0
    assert int(failures) == 0


def requests_of(directory: Path) -> list[list[str]]:
    """List the rows of locust's statistics that are of events."""
    file = directory / "locust_stats.csv"
    rows = file.read_text().splitlines() if file.exists() else []
    return [row.split(",") for row in rows if row.startswith("manyhands,")]
