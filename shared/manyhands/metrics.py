"""What a process counts, as plain numbers: cheap to write at every event, and turned into text only when asked for.

A *family* is one metric with all its series. Families travel between the processes of a gateway or a worker as bytes,
and `manyhands.exposition` writes them for Prometheus.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import msgpack

#: Upper bounds in seconds of the buckets of every distribution; above the last one lies one more. Each is a series
#: that Prometheus keeps, for every handler.
BOUNDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

#: Handlers that have series of their own in one process. A process that lives through many versions of an app may meet
#: more, and counts those under `OTHERS`.
MAX_HANDLERS = 500
OTHERS = "(others)"

#: When this process was started, as near as can be told: Prometheus tells a restart by it.
_STARTED = time.time()


class Kind(StrEnum):
    """What Prometheus knows of a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Distribution:
    """How many values fell into each bucket, and their sum: a histogram without locks.

    For one thread, or under the lock of whoever has several.
    """

    __slots__ = ("counts", "total")

    def __init__(self, counts: Sequence[int] | None = None, total: float = 0.0) -> None:
        self.counts = list(counts) if counts is not None else [0] * (len(BOUNDS) + 1)
        self.total = total

    def add(self, seconds: float) -> None:
        """Count a value. Clocks of two machines may make one negative; it counts as none."""
        if seconds > 0:
            self.counts[bisect_left(BOUNDS, seconds)] += 1
            self.total += seconds
        else:
            self.counts[0] += 1


def added(parts: Iterable[Distribution]) -> Distribution:
    """Add distributions up."""
    whole = Distribution()
    for part in parts:
        whole.counts = [a + b for a, b in zip(whole.counts, part.counts, strict=True)]
        whole.total += part.total
    return whole


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's name and meaning, declared once; the documentation's table is tested against it."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()

    def family(self, series: Mapping[Any, float | Distribution] | float | Distribution) -> Family:
        """Give it with its values: one without labels, or one for each label's value (or tuple of them)."""
        if not isinstance(series, Mapping):
            return Family(self, (((), series),))
        return Family(self, tuple((_labels(label), value) for label, value in list(series.items())))


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with the values that its series have now."""

    metric: Metric
    series: Sequence[tuple[tuple[str, ...], float | Distribution]]


Snapshot = Sequence[Family]

START = Metric("manyhands_process_start_time_seconds", Kind.GAUGE, "When the process began, in seconds since 1970.")
CPU = Metric("manyhands_process_cpu_seconds_total", Kind.COUNTER, "CPU time that the process has used.")
MEMORY = Metric("manyhands_process_resident_memory_bytes", Kind.GAUGE, "Memory that the process holds.")
PROCESS_METRICS = (START, CPU, MEMORY)


def process_families() -> list[Family]:
    """Say what the calling process itself uses."""
    return [START.family(_STARTED), CPU.family(time.process_time()), MEMORY.family(float(_resident()))]


def pack_snapshot(families: Snapshot) -> bytes:
    """Encode families, to be given to a sibling process."""
    return cast("bytes", msgpack.packb([_plain(family) for family in families]))


def unpack_snapshot(packed: bytes) -> Snapshot:
    """Decode families. Raises `ValueError` for what was cut short."""
    return [
        Family(Metric(name, Kind(kind), meaning, tuple(labels)), [(tuple(at), _value(value)) for at, value in series])
        for name, kind, meaning, labels, series in msgpack.unpackb(packed)
    ]


def _plain(family: Family) -> list[Any]:
    one = family.metric
    series = [
        [labels, [value.counts, value.total] if isinstance(value, Distribution) else value]
        for labels, value in family.series
    ]
    return [one.name, one.kind.value, one.meaning, one.labels, series]


def _value(value: Any) -> float | Distribution:
    return Distribution(*value) if isinstance(value, list) else float(value)


def _labels(label: Any) -> tuple[str, ...]:
    return tuple(map(str, label)) if isinstance(label, tuple) else (str(label),)


def _resident() -> int:
    """Give the bytes of memory that the process holds now; where the system does not say, the most it ever held."""
    statistics = Path("/proc/self/statm")
    if statistics.exists():
        return int(statistics.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
