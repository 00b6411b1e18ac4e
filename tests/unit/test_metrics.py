"""Numbers, and what Prometheus reads of them."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from manyhands.exposition import write
from manyhands.metrics import (
    BOUNDS,
    MAX_HANDLERS,
    OTHERS,
    PROCESS_METRICS,
    Distribution,
    Kind,
    Metric,
    Snapshot,
    pack_snapshot,
    unpack_snapshot,
)
from manyhands_gateway.meter import METRICS as gateway_metrics  # noqa: N811
from manyhands_gateway.meter import Meter as GatewayMeter
from manyhands_worker.meter import METRICS as worker_metrics  # noqa: N811
from manyhands_worker.meter import OK
from manyhands_worker.meter import Meter as WorkerMeter

Labels = tuple[tuple[str, str], ...]

COUNTED = Metric("test_things_total", Kind.COUNTER, "Things.", ("kind",))
LASTED = Metric("test_seconds", Kind.HISTOGRAM, "Seconds.")


def read(snapshots: Mapping[str, Snapshot]) -> dict[tuple[str, Labels], float]:
    """Give every sample of the text that is written, by its name and labels."""
    text = write(lambda: snapshots).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text) for sample in family.samples
    }  # fmt: skip


@dataclass
class Run:
    """A run as the meter sees it: 1 ms in the mailbox, 2 ms to load, 30 ms at work, all of it over by now."""

    handler: str = "increment"
    outcome: str = OK
    posted: float | None = None
    taken: float = 0.0
    began: float | None = None
    returned: float = 0.0

    @classmethod
    def just_over(cls, handler: str = "increment") -> Run:
        now = time.monotonic()
        return cls(handler, OK, time.time() - 0.033, now - 0.032, now - 0.03, now)


@dataclass
class Gauges:
    open_connections: int = 3
    open_sessions: int = 2
    waiting_events: int = 0
    mailbox_age: float = 0.0


# --- distributions ---


@pytest.mark.parametrize("seconds", [0.0, BOUNDS[0], 0.003, BOUNDS[-1], 3600.0])
def test_a_value_falls_into_the_first_bucket_whose_bound_is_not_below_it(seconds: float) -> None:
    distribution = Distribution()
    distribution.add(seconds)
    bucket = distribution.counts.index(1)
    assert all(bound < seconds for bound in BOUNDS[:bucket])
    assert bucket == len(BOUNDS) or seconds <= BOUNDS[bucket]
    assert distribution.total == seconds


def test_a_negative_time_counts_as_none() -> None:
    distribution = Distribution()
    distribution.add(-0.5)
    assert distribution.counts[0] == 1
    assert distribution.total == 0


# --- the text ---


def test_series_of_several_processes_stand_under_one_metric_and_name_their_process() -> None:
    snapshots = {name: [COUNTED.family({"red": 1, "blue": int(name)})] for name in ("1", "2")}
    assert write(lambda: snapshots).decode().count("# TYPE test_things_total counter") == 1
    found = read(snapshots)
    assert found["test_things_total", (("kind", "red"), ("process", "1"))] == 1
    assert found["test_things_total", (("kind", "blue"), ("process", "2"))] == 2


def test_buckets_are_cumulative_and_end_with_all() -> None:
    lasted = Distribution()
    for seconds in (0.002, 0.002, 0.2, 100.0):
        lasted.add(seconds)
    found = read({"1": [LASTED.family(lasted)]})
    at = {dict(labels)["le"]: value for (name, labels), value in found.items() if name == "test_seconds_bucket"}
    assert (at["0.001"], at["0.0025"], at["0.25"], at["60.0"], at["+Inf"]) == (0, 2, 3, 3, 4)
    assert found["test_seconds_count", (("process", "1"),)] == 4
    assert found["test_seconds_sum", (("process", "1"),)] == pytest.approx(100.204)


def test_a_snapshot_survives_its_way_to_a_sibling() -> None:
    lasted = Distribution()
    lasted.add(0.1)
    snapshot = [COUNTED.family({"red": 7}), LASTED.family(lasted)]
    assert read({"1": unpack_snapshot(pack_snapshot(snapshot))}) == read({"1": snapshot})


def test_a_snapshot_that_was_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="incomplete"):
        unpack_snapshot(pack_snapshot([COUNTED.family({"red": 7})])[:-3])


def test_every_name_of_a_label_may_hold_any_text() -> None:
    found = read({"1": [COUNTED.family({'qu"ote\n\\é': 1})]})
    assert found["test_things_total", (("kind", 'qu"ote\n\\é'), ("process", "1"))] == 1


# --- a worker's numbers ---


def test_a_worker_counts_each_stage_of_an_event() -> None:
    meter = WorkerMeter()
    meter.ended(Run.just_over())
    found = read({"1": meter.snapshot(in_turn=1, detached=2)})
    by_stage = {
        dict(labels)["stage"]: value for (name, labels), value in found.items() if name == "manyhands_stage_seconds_sum"
    }
    assert by_stage["waited"] == pytest.approx(0.001, abs=0.02)
    assert by_stage["loaded"] == pytest.approx(0.002, abs=0.0001)
    assert by_stage["ran"] == pytest.approx(0.03, abs=0.0001)
    assert by_stage["committed"] < 0.02
    process = ("process", "1")
    assert found["manyhands_events_total", (("handler", "increment"), ("outcome", "ok"), process)] == 1
    assert found["manyhands_handler_seconds_sum", (("handler", "increment"), process)] == by_stage["ran"]
    assert found["manyhands_worker_runs", (process, ("state", "detached"))] == 2


def test_an_event_whose_handler_never_began_has_not_run() -> None:
    meter = WorkerMeter()
    run = Run.just_over()
    run.began, run.outcome = None, "cancelled"
    meter.ended(run)
    found = read({"1": meter.snapshot(0, 0)})
    assert found["manyhands_stage_seconds_count", (("process", "1"), ("stage", "ran"))] == 0
    assert found["manyhands_stage_seconds_count", (("process", "1"), ("stage", "waited"))] == 1


def test_threads_that_count_at_once_lose_nothing() -> None:
    meter = WorkerMeter()
    run = Run.just_over()

    def count() -> None:
        for _ in range(2000):
            meter.ended(run)
            meter.detached()

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = read({"1": meter.snapshot(0, 0)})
    assert found["manyhands_event_seconds_count", (("process", "1"),)] == 16_000
    assert found["manyhands_worker_detached_total", (("process", "1"),)] == 16_000


def test_handlers_beyond_the_bound_share_their_series() -> None:
    meter, gateway = WorkerMeter(), GatewayMeter()
    for number in range(MAX_HANDLERS + 3):
        meter.ended(Run.just_over(f"handler_{number}"))
        gateway.accepted(f"handler_{number}", 0.001)
    gateway.accepted("handler_0", 0.001)
    process = ("process", "1")
    worker = read({"1": meter.snapshot(0, 0)})
    assert worker["manyhands_events_total", (("handler", OTHERS), ("outcome", "ok"), process)] == 3
    name, outcome = "manyhands_gateway_events_total", ("outcome", "accepted")
    found = read({"1": gateway.snapshot(Gauges())})
    assert found[name, (("handler", OTHERS), outcome, process)] == 3
    assert found[name, (("handler", "handler_0"), outcome, process)] == 2


# --- a gateway's numbers ---


def test_a_gateway_counts_what_became_of_events_and_sockets() -> None:
    meter = GatewayMeter()
    meter.accepted("increment", 0.002)
    meter.event("", "bad_frame")
    meter.joined("resumed")
    meter.closed(4002)
    meter.closed(None)
    meter.delivered(0.0001)
    found = read({"1": meter.snapshot(Gauges())})
    process = ("process", "1")
    assert found["manyhands_gateway_events_total", (("handler", "increment"), ("outcome", "accepted"), process)] == 1
    assert found["manyhands_gateway_events_total", (("handler", ""), ("outcome", "bad_frame"), process)] == 1
    assert found["manyhands_gateway_joins_total", (("kind", "resumed"), process)] == 1
    assert found["manyhands_gateway_closed_total", (("code", "4002"), process)] == 1
    assert found["manyhands_gateway_closed_total", (("code", "none"), process)] == 1
    assert found["manyhands_gateway_connections", (process,)] == 3
    assert found["manyhands_gateway_updates_total", (process,)] == 1
    assert found["manyhands_process_resident_memory_bytes", (process,)] > 10**6


# --- the documentation ---


def documented(heading: str) -> list[tuple[str, str, str, str]]:
    """Read a table of docs/metrics.md: name, kind, labels, meaning."""
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(manyhands_\w+)` \| (\w+) \| (.*?) ?\| (.*) \|$", section, re.MULTILINE)


@pytest.mark.parametrize(
    ("heading", "declared", "snapshot"),
    [
        ("Metrics of a gateway", gateway_metrics, GatewayMeter().snapshot(Gauges())),
        ("Metrics of a worker", worker_metrics, WorkerMeter().snapshot(0, 0)),
    ],
)
def test_the_documentation_lists_every_metric(
    heading: str, declared: tuple[Metric, ...], snapshot: Snapshot
) -> None:  # fmt: skip
    every = (*declared, *PROCESS_METRICS)
    assert documented(heading) == [(one.name, one.kind.value, ", ".join(one.labels), one.meaning) for one in every]
    assert [family.metric for family in snapshot] == list(every)
