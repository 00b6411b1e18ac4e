"""The plot of a load test: throughput and latency over time, and the latencies' distribution."""

from __future__ import annotations

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from manyhands.load.report import per_second
from manyhands.load.runner import Result

#: The percentiles of the distribution: equally far apart on a scale of nines.
_NINES = [0.01 * step for step in range(401)]


def draw(result: Result, file: Path) -> None:
    """Write the plot; the file's suffix chooses the format. Raises `OSError`, and `ValueError` for an unknown one."""
    figure = Figure(figsize=(9, 9), layout="constrained")
    FigureCanvasAgg(figure)
    rate, latency, distribution = figure.subplots(3)
    seconds = result.tally.seconds
    at = [one.at for one in seconds]
    rate.plot(at, [one.per_second for one in seconds])
    rate.set(title=_title(result), ylabel="events/s", ylim=(0, None))
    for name in ("p50", "p99"):
        shown = [(one.at, getattr(one, name)) for one in seconds if getattr(one, name) is not None]
        latency.plot([x for x, _ in shown], [y for _, y in shown], label=name)
    latency.set(xlabel="seconds", ylabel="latency, ms", ylim=(0, None))
    latency.legend()
    if result.tally.histogram.get_total_count():
        percentiles = [100 * (1 - 10**-nines) for nines in _NINES]
        found = result.tally.histogram.get_percentile_to_value_dict(percentiles)
        distribution.plot(_NINES, [found[one] / 1000 for one in percentiles])
    distribution.set(xlabel="percentile", ylabel="latency, ms", ylim=(0, None))
    distribution.set_xticks([0, 0.301, 1, 2, 3, 4], ["0", "50", "90", "99", "99.9", "99.99"])
    for axes in (rate, latency, distribution):
        axes.grid(alpha=0.3)
    figure.savefig(file)


def _title(result: Result) -> str:
    plan = result.plan
    pace = "closed loop" if plan.rate is None else f"{plan.rate:g} events/s asked for"
    return f"{plan.handler}: {plan.sessions:,} sessions, {pace}: {per_second(result):,.0f} events/s"
