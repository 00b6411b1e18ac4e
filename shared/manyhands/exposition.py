"""The numbers of one process or several, as the text that Prometheus reads. Loaded only where somebody may ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Series
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from manyhands.metrics import BOUNDS, Distribution, Kind, Metric, Snapshot

CONTENT_TYPE = CONTENT_TYPE_LATEST

#: What each series says besides its own labels: which of the processes behind one address it is from. Were they added
#: up here, the death of one would make the sums fall, which Prometheus takes for a restart of all.
PROCESS_LABEL = "process"

#: Gives the numbers of every process, by its name.
Gather = Callable[[], Mapping[str, Snapshot]]

_LIMITS = (*map(floatToGoString, BOUNDS), "+Inf")


class Families(Collector):
    """Asks for the numbers when it is asked for them."""

    def __init__(self, gather: Gather) -> None:
        self._gather = gather

    def collect(self) -> Iterable[Series]:
        """Give every metric once, with the series of all processes."""
        found: dict[str, Series] = {}
        for process, snapshot in self._gather().items():
            for family in snapshot:
                name = family.metric.name
                if name not in found:
                    found[name] = _make(family.metric)
                for labels, value in family.series:
                    _add(found[name], [*labels, process], value)
        return found.values()


def make_registry(gather: Gather) -> CollectorRegistry:
    """Make a registry of our own that holds nothing but these numbers."""
    # Not described at once: that would ask for the numbers before anybody does.
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Families(gather))
    return registry


def write(gather: Gather) -> bytes:
    """Write everything in Prometheus' text format."""
    return generate_latest(make_registry(gather))


def _make(metric: Metric) -> Series:
    labels = [*metric.labels, PROCESS_LABEL]
    match metric.kind:
        case Kind.COUNTER:
            return CounterMetricFamily(metric.name, metric.meaning, labels=labels)
        case Kind.GAUGE:
            return GaugeMetricFamily(metric.name, metric.meaning, labels=labels)
        case Kind.HISTOGRAM:
            return HistogramMetricFamily(metric.name, metric.meaning, labels=labels)


def _add(series: Series, labels: list[str], value: float | Distribution) -> None:
    if isinstance(series, HistogramMetricFamily) and isinstance(value, Distribution):
        series.add_metric(labels, buckets=list(_cumulative(value)), sum_value=value.total)
    elif isinstance(series, (CounterMetricFamily, GaugeMetricFamily)) and not isinstance(value, Distribution):
        series.add_metric(labels, value)


def _cumulative(value: Distribution) -> Iterator[tuple[str, float]]:
    count = 0
    for limit, more in zip(_LIMITS, value.counts, strict=True):
        count += more
        yield limit, count
