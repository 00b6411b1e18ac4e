"""The Procfile as a platform runs it: two gateways and two workers, started with honcho."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.browser import Tab
from support.fleet import SEMANTICS
from support.processes import Process, Processes
from support.waiting import free_port, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def honcho(processes: Processes, tmp_path: Path) -> Iterator[tuple[Process, list[str]]]:
    """The running Procfile, its gateways kept to the loopback, and their URLs."""
    text = (ROOT / "Procfile").read_text()
    assert "web: manyhands gateway\n" in text
    procfile = tmp_path / "Procfile"
    procfile.write_text(text.replace("manyhands gateway", "manyhands gateway --host 127.0.0.1"))
    port = free_port(in_a_row=2)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = processes.start(
        *(sys.executable, "-m", "honcho", "start", "--procfile", str(procfile)),
        *("--port", str(port), "--concurrency", "web=2,worker=2"),
        environ={"PATH": path, "MANYHANDS_APP": SEMANTICS},
        directory=ROOT,
    )
    urls = [f"http://127.0.0.1:{port + i}" for i in range(2)]
    try:
        for url in urls:
            process.wait_for_http(f"{url}/readyz")
        yield process, urls
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send(signal.SIGTERM)
        process.wait_for_exit()


def test_the_procfile_serves_one_session_through_two_gateways_and_two_workers(
    honcho: tuple[Process, list[str]],
) -> None:
    process, urls = honcho
    wait_until(lambda: process.output.count("serving") == 2, 20, lambda: f"two workers in {process.output}")
    with Tab(urls[0]) as first, Tab(urls[1], token=first.token) as second:
        numbers = [(tab, tab.fire("increment")) for _ in range(50) for tab in (first, second)]
        for tab, n in numbers:
            assert tab.wait_done(n, 20)["ok"]
        first.wait_for(lambda: first.state["counter"] == 100)
        second.wait_for(lambda: second.state["counter"] == 100)
    process.send(signal.SIGTERM)
    process.wait_for_exit()
    assert process.output.count("manyhands.worker stopped") == 2
