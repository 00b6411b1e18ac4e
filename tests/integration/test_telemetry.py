"""Metrics, logs and traces of real gateways and workers."""

from __future__ import annotations

import json
import os
import signal
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support.fleet import SEMANTICS, Fleet
from support.processes import Processes, get
from support.scraping import Scrape, scrape
from support.waiting import free_port, wait_until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"


def wait_for(url: str, condition: Callable[[Scrape], bool], what: str) -> Scrape:
    """Scrape until a condition holds."""
    found: list[Scrape] = []

    def holds() -> bool:
        found[:] = [scrape(url)]
        return condition(found[0])

    wait_until(holds, 20, lambda: f"{what} in\n{found[0].text}")
    return found[0]


# --- metrics ---


def test_gateway_and_worker_tell_what_became_of_events(fleet_of: Callable[..., Fleet]) -> None:
    port = free_port()
    fleet = fleet_of(environ={"MANYHANDS_METRICS_PORT": f"127.0.0.1:{port}"})
    with fleet.tab() as tab:
        for _ in range(3):
            assert tab.call("increment")["ok"]
        assert not tab.call("fail")["ok"]
        tab.fire("no_such_handler_at_all")
        tab.wait_rejected()
        worker = wait_for(
            f"http://127.0.0.1:{port}", lambda now: now.sum("manyhands_events_total") == 4, "4 events that have ended"
        )
        assert worker.sum("manyhands_events_total", handler="increment", outcome="ok") == 3
        assert worker.sum("manyhands_events_total", handler="fail", outcome="handler_failed") == 1
        for stage in ("waited", "loaded", "ran", "committed"):
            assert worker.sum("manyhands_stage_seconds_count", stage=stage) == 4
        assert 0 < worker.sum("manyhands_event_seconds_sum") < 60
        gateway = scrape(fleet.urls[0])
        assert gateway.sum("manyhands_gateway_events_total", handler="increment", outcome="accepted") == 3
        assert gateway.sum("manyhands_gateway_events_total", handler="", outcome="unknown_handler") == 1
        assert "no_such_handler_at_all" not in gateway.text
        assert gateway.sum("manyhands_stage_seconds_count", stage="accepted") == 4
        assert gateway.sum("manyhands_stage_seconds_count", stage="delivered") >= 4
        assert gateway.sum("manyhands_gateway_connections") == 1
        assert gateway.sum("manyhands_gateway_joins_total", kind="new") == 1
        tab.reconnect()
        again = scrape(fleet.urls[0])
        assert again.sum("manyhands_gateway_joins_total", kind="resumed") == 1
    wait_for(fleet.urls[0], lambda now: now.sum("manyhands_gateway_closed_total") == 2, "two sockets that have ended")


def test_one_address_tells_the_numbers_of_all_processes_of_a_gateway_and_of_a_worker(processes: Processes) -> None:
    environ = {"MANYHANDS_APP": SEMANTICS, "MANYHANDS_METRICS_PORT": f"127.0.0.1:{free_port()}"}
    workers = "http://" + environ["MANYHANDS_METRICS_PORT"]
    gateway, url = processes.gateway("--processes", "2", environ=environ)
    worker = processes.worker("--processes", "2", environ=environ)
    gateway.wait_for_http(f"{url}/readyz")
    both = {"1", "2"}
    begun = "manyhands_process_start_time_seconds"
    wait_for(url, lambda now: now.values(begun, "process") == both, "two processes of the gateway")
    before = wait_for(workers, lambda now: now.values(begun, "process") == both, "two processes of the worker")
    # One that dies leaves its number to its successor, which begins to count at 0.
    os.kill(_child_of(worker.pid), signal.SIGKILL)
    wait_for(
        workers,
        lambda now: now.values(begun, "process") == both and now.sum(begun) > before.sum(begun),
        "a successor with the same number",
    )
    assert gateway.terminate() == 0
    assert worker.terminate() == 0


def _child_of(pid: int) -> int:
    """Give the first child of a process that is tethered to it."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_a_port_that_is_taken_does_not_end_the_worker(fleet_of: Callable[..., Fleet]) -> None:
    port = free_port()
    fleet = fleet_of(workers=2, environ={"MANYHANDS_METRICS_PORT": f"127.0.0.1:{port}"})
    wait_until(lambda: f"no /metrics on 127.0.0.1 port {port}" in fleet.log, 20, lambda: "the warning")
    with fleet.tab() as tab:
        assert tab.call("increment")["ok"]


def test_a_worker_answers_nowhere_unless_told_to(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of()
    assert "/metrics" not in fleet.log


def test_a_gateway_may_ask_for_a_token(processes: Processes) -> None:
    token = "a-token-of-the-test-0123"
    _, url = processes.gateway(environ={"MANYHANDS_METRICS_TOKEN": token, "MANYHANDS_APP": SEMANTICS})
    refused = get(f"{url}/metrics", 401)
    assert refused is not None
    assert "MANYHANDS_METRICS_TOKEN" in refused
    assert token not in refused
    for scheme in ("Bearer", "bearer"):
        request = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"{scheme} {token}"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert "manyhands_gateway_connections" in answer.read().decode()


def test_a_takeover_is_counted(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(environ={"MANYHANDS_LEASE": "1"})
    with fleet.tab() as tab:
        n = tab.fire("slow_async", 2)
        tab.wait_for(lambda: tab.state.get("async") == "began")
        port = free_port()
        other = fleet.processes.worker(
            SEMANTICS, environ={**fleet.environ, "MANYHANDS_METRICS_PORT": f"127.0.0.1:{port}"}
        )
        fleet.workers[0].kill()
        other.wait_for_output("serving")
        tab.wait_done(n, timeout=30)
    found = wait_for(
        f"http://127.0.0.1:{port}", lambda now: now.sum("manyhands_events_total") == 1, "the event that was taken over"
    )
    assert found.sum("manyhands_worker_takeovers_total") == 1
    assert found.sum("manyhands_worker_rung_again_total") >= 1


def test_the_age_of_the_oldest_mail_is_told_while_no_worker_takes_it(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of()
    wait_for(fleet.urls[0], lambda now: now.sum("manyhands_mailbox_age_seconds") == 0, "nobody who waits")
    fleet.workers[0].terminate()
    with fleet.tab() as tab:
        for _ in range(3):
            tab.wait_accepted(tab.fire("increment"))
        wait_for(
            fleet.urls[0],
            lambda now: now.sum("manyhands_mailbox_age_seconds") > 0.5 and now.sum("manyhands_waiting_events") == 3,
            "three events that have waited long",
        )
        fleet.add_worker()
        tab.wait_done(3)
    wait_for(fleet.urls[0], lambda now: now.sum("manyhands_waiting_events") == 0, "nothing that waits")


# --- logs ---


@pytest.fixture
def json_fleet(processes: Processes) -> tuple[Any, Any, str]:
    """A gateway and a worker that log JSON."""
    environ = {"MANYHANDS_APP": SEMANTICS}
    gateway, url = processes.gateway("--log", "json", environ=environ)
    worker = processes.worker(SEMANTICS, "--log", "json", environ=environ)
    gateway.wait_for_http(f"{url}/readyz")
    return gateway, worker, url


def test_every_line_of_gateway_and_worker_is_an_object_and_names_its_event(json_fleet: tuple[Any, Any, str]) -> None:
    from support.browser import Tab

    gateway, worker, url = json_fleet
    with Tab(url) as tab:
        assert tab.call("increment", "a-payload-of-the-test")["ok"]
        printed = tab.call("print_lines", "spoken")
        failed = tab.call("fail")
    assert (printed["ok"], failed["ok"]) == (True, False)
    assert gateway.terminate() == 0
    assert worker.terminate() == 0
    lines = [json.loads(line) for line in (gateway.output + worker.output).splitlines()]
    assert all({"timestamp", "level", "logger", "message"} <= line.keys() for line in lines)
    about = [line for line in lines if line.get("handler") == "fail"]
    assert {"handler failed"} <= {line["message"] for line in about}
    assert all(line["event"] == {"client": tab.client, "n": 3} and len(line["session"]) > 20 for line in about)
    assert any("Traceback" in line.get("exception", "") for line in about)
    spoken = [line for line in lines if line.get("handler") == "print_lines"]
    assert [line["message"] for line in spoken] == [f"spoken-{i}!" for i in range(20)]
    assert "a-payload-of-the-test" not in gateway.output + worker.output


def test_dev_writes_one_object_a_line_whoever_of_its_processes_speaks(processes: Processes, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("print('printed on import')\ndef go():\n    pass\n")
    dev = processes.manyhands("dev", str(tmp_path), "--port", "0", "--no-reload", "--log", "json")
    dev.wait_for_output("Open http://")
    assert dev.terminate() == 0
    lines = [json.loads(line) for line in dev.output.splitlines()]
    assert {line["process"] for line in lines} == {"manyhands", "gateway", "worker.1"}
    assert "import | printed on import" in {line["message"] for line in lines}


def test_what_ends_a_command_is_written_as_it_was_asked_for(processes: Processes, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("1 / 0\n")
    worker = processes.worker(str(tmp_path), "--log", "json")
    assert worker.wait_for_exit() == 1
    lines = [json.loads(line) for line in worker.output.splitlines()]
    assert "ZeroDivisionError" in lines[0]["message"]
    assert lines[-1]["message"].startswith("manyhands: importing the app")


# --- traces ---


class Collector:
    """A receiver of OTLP over HTTP that keeps the spans it gets."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = ExportTraceServiceRequest.FromString(body)
                for one in request.resource_spans:
                    names = {item.key: item.value.string_value for item in one.resource.attributes}
                    collector.spans += [
                        (names["service.name"], span) for scope in one.scope_spans for span in scope.spans
                    ]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A receiver of traces."""
    made = Collector()
    yield made
    made.close()


def test_an_event_is_one_trace_from_the_browser_to_the_commit(
    fleet_of: Callable[..., Fleet], collector: Collector
) -> None:
    environ = {
        "OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "50",
    }  # fmt: skip
    fleet = fleet_of(environ=environ)
    with fleet.tab() as tab:
        tab.send({"type": "event", "n": 1, "handler": "increment", "traceparent": TRACEPARENT})
        assert tab.wait_done(1)["ok"]
        tab.send({"type": "event", "n": 2, "handler": "fail", "traceparent": "nonsense"})
        assert not tab.wait_done(2)["ok"]
        wait_until(lambda: len(collector.spans) >= 10, 20, lambda: f"10 spans, got {collector.spans}")
    ours = {span.name: (service, span) for service, span in collector.spans if span.trace_id.hex() == TRACE}
    assert {name: service for name, (service, _) in ours.items()} == {
        "accepted": "manyhands-gateway", "waited": "manyhands-worker", "loaded": "manyhands-worker",
        "ran": "manyhands-worker", "committed": "manyhands-worker",
    }  # fmt: skip
    spans = {name: span for name, (_, span) in ours.items()}
    assert spans["accepted"].parent_span_id.hex() == PARENT
    gateway = spans.pop("accepted")
    assert all(span.parent_span_id == gateway.span_id for span in spans.values())
    times = [spans[name] for name in ("waited", "loaded", "ran", "committed")]
    assert all(one.start_time_unix_nano <= one.end_time_unix_nano for one in times)
    assert all(a.end_time_unix_nano <= b.end_time_unix_nano for a, b in pairwise(times))
    named = {item.key: item.value.string_value for item in spans["ran"].attributes}
    assert (named["manyhands.handler"], named["manyhands.client"]) == ("increment", tab.client)
    # The other event has a trace of its own, and its handler's span says that it failed.
    others = [span for _, span in collector.spans if span.trace_id.hex() != TRACE]
    assert len({span.trace_id for span in others}) == 1
    assert [span.status.message for span in others if span.name == "ran"] == ["handler_failed"]


def test_a_collector_that_is_away_costs_no_event_and_no_time_at_the_end(fleet_of: Callable[..., Fleet]) -> None:
    environ = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    fleet = fleet_of(environ=environ)
    with fleet.tab() as tab:
        assert tab.call("increment")["ok"]
    assert fleet.workers[0].terminate() == 0
    assert fleet.gateways[0].terminate() == 0
