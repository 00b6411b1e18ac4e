"""Processes behind one address: what they tell one another, and the port of a worker."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from manyhands import siblings
from manyhands.metrics import Kind, Metric, Snapshot
from manyhands.metrics_port import MetricsPort
from manyhands_gateway import process
from support.processes import get
from support.waiting import free_port, wait_until

COUNTED = Metric("test_things_total", Kind.COUNTER, "Things.")


def numbers(count: int) -> Snapshot:
    return [COUNTED.family(count)]


def counts(found: dict[str, Snapshot]) -> dict[str, float]:
    return {name: snapshot[0].series[0][1] for name, snapshot in found.items()}  # type: ignore[misc]


@pytest.fixture
def directory() -> Iterator[Path]:
    made = siblings.make_directory()
    yield made
    siblings.remove_directory(made)
    assert not made.exists()


def test_one_process_tells_the_numbers_of_all(directory: Path) -> None:
    for number in (2, 10):
        siblings.answer_siblings(directory, str(number), lambda number=number: numbers(number))  # type: ignore[misc]
    found = dict(siblings.gather(directory, "1", lambda: numbers(1)))
    assert counts(found) == {"1": 1, "2": 2, "10": 10}


def test_only_its_owner_may_look_into_the_directory(directory: Path) -> None:
    assert directory.stat().st_mode & 0o077 == 0


def test_a_process_that_has_died_is_left_out_and_its_successor_takes_its_name(directory: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(directory / "2.sock"))
    dead.close()
    assert counts(dict(siblings.gather(directory, "1", lambda: numbers(1)))) == {"1": 1}
    siblings.answer_siblings(directory, "2", lambda: numbers(2))
    assert counts(dict(siblings.gather(directory))) == {"2": 2}


def test_a_process_that_hangs_delays_the_others_by_no_more_than_the_bound(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siblings, "ANSWER_WITHIN", 0.1)
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(directory / "2.sock"))
        hanging.listen()
        assert counts(dict(siblings.gather(directory, "1", lambda: numbers(1)))) == {"1": 1}


def test_a_path_that_is_too_long_for_a_socket_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    directory = tmp_path / ("x" * 120)
    directory.mkdir()
    siblings.answer_siblings(directory, "1", lambda: numbers(1))
    assert "missing from /metrics" in caplog.text


def test_a_process_takes_the_number_of_one_that_has_died() -> None:
    arbiter = SimpleNamespace(WORKERS={})
    for pid in (11, 12, 13):
        arbiter.WORKERS[pid] = SimpleNamespace()
        process._number(arbiter, arbiter.WORKERS[pid])
    assert [one.number for one in arbiter.WORKERS.values()] == [1, 2, 3]
    del arbiter.WORKERS[12]
    successor = SimpleNamespace()
    process._number(arbiter, successor)
    assert successor.number == 2


def test_a_port_that_is_taken_is_a_warning_and_is_used_once_it_is_free(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "manyhands")
    port = free_port()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        MetricsPort("127.0.0.1", port, lambda: {"1": numbers(5)}, pause=0.02).start()
        wait_until(lambda: "no /metrics on 127.0.0.1" in caplog.text, 10, lambda: "the warning")
    text = wait_until(lambda: get(f"http://127.0.0.1:{port}/metrics"), 10, lambda: "an answer")
    assert 'test_things_total{process="1"} 5.0' in str(text)
    assert caplog.text.count("no /metrics on") == 1
    assert not [one for one in threading.enumerate() if one.name == "manyhands-metrics"]
