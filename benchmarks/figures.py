"""The plots and tables of docs/performance.md, made of the numbers in docs/performance/*.json.

A table goes between `<!-- figures: NAME -->` and `<!-- end -->`; what else the page says is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

#: A grey that is read on white as on black; the background is the page's own.
GREY = "#808890"
BLUE, ORANGE, GREEN = "#3b82c4", "#d9822b", "#2f9e6e"
BLOCK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
KINDS = ("redis", "gateways", "workers", "generator")

Found = dict[str, Any]


def draw_all(directory: Path) -> None:
    """Make every plot, and fill the page, of the numbers in `directory`/performance."""
    found = {file.stem: json.loads(file.read_text("utf-8")) for file in (directory / "performance").glob("*.json")}
    for name, (plot, _) in PLOTS.items():
        if name in found:
            save(plot(found[name]["points"]), directory / "performance" / f"{name}.svg")
    page = directory / "performance.md"
    if page.exists():
        page.write_text(fill(page.read_text("utf-8"), found), "utf-8")


def fill(page: str, found: dict[str, Found]) -> str:
    """Put the tables where the page asks for them; what was not measured stays as it is."""

    def replace(block: re.Match[str]) -> str:
        name = block[2]
        if name not in found:
            return block[0]
        picture = [f"![{PLOTS[name][1]}](performance/{name}.svg)", ""] if name in PLOTS else []
        lines = [*picture, *table_of(name, found[name]), "", source_of(found[name])]
        return block[1] + "\n".join(lines) + "\n" + block[3]

    return BLOCK.sub(replace, page)


def source_of(found: Found) -> str:
    """Say how and on what the numbers were found."""
    on = found["machine"]
    where = f"{on['cores']} cores of {on['processor']}, Python {on['python']}, Redis {on['redis']}, {on['day']}"
    return f"Some of it alone: `{found['command']}`. Measured on {where}."


# --- tables ---


def table_of(name: str, found: Found) -> list[str]:
    """Make the table of a measurement."""
    heads, row = TABLES[name]
    rows = [row(point) for point in found["points"]]
    rule = ["---"] + ["---:"] * (len(heads) - 1)
    return ["| " + " | ".join(map(str, cells)) + " |" for cells in (heads, rule, *rows)]


def _of_load(point: Found) -> list[str]:
    latency, cpu = point["latency_ms"], point["cpu_us_per_event"]
    return [
        f"{point['events_per_second']:,.0f}", *(f"{latency[name]:.1f}" for name in ("p50", "p99")),
        *(f"{cpu[kind]:.0f}" for kind in (*KINDS, "all")),
    ]  # fmt: skip


LOAD_HEADS = ["events/s", "p50, ms", "p99, ms", *(f"{kind}, µs" for kind in KINDS), "all, µs"]
TABLES: dict[str, tuple[Sequence[str], Callable[[Found], list[str]]]] = {
    "sessions": (["sessions", *LOAD_HEADS], lambda point: [f"{point['sessions']:,}", *_of_load(point)]),
    "processes": (
        ["gateways · workers", *LOAD_HEADS],
        lambda point: [f"{point['gateways']} · {point['workers']}", *_of_load(point)],
    ),
    "load": (["load", *LOAD_HEADS], lambda point: [f"{point['share']:.0%}", *_of_load(point)]),
    "fan_out": (
        ["connections", "updates/s", "frames", "gateway's CPU a frame, µs"],
        lambda point: [
            f"{point['connections']:,} {point['crowd']}", f"{point['rate']:g}", f"{point['frames']:,}",
            f"{point['gateway_us_per_frame']:.1f}",
        ],
    ),
    "connections": (
        ["idle connections", "gateway's memory each, KB", "Redis' memory each, KB", "gateway's CPU", "Redis' CPU"],
        lambda point: [
            f"{point['connections']:,}", f"{point['kb_per_connection']:.1f}", f"{point['redis_kb_per_session']:.1f}",
            *(f"{point['idle_cores'][kind]:.1%} of a core" for kind in ("gateways", "redis")),
        ],
    ),
    "memory": (
        ["events so far", "Redis' memory of the session, KB"],
        lambda point: [f"{point['events']:,}", f"{point['kb_per_session']:.1f}"],
    ),
    "resting": (["session", "Redis' memory, bytes"], lambda point: [point["session"], f"{point['bytes']:,}"]),
    "untouched": (
        ["beside the counter the session holds", "click to update, ms", "redis, µs", "workers, µs", "ratios"],
        lambda point: [
            point["holds"], f"{point['click_ms']:.2f}", f"{point['redis_us']:.0f}", f"{point['workers_us']:.0f}",
            " · ".join(f"{point[f'{kind}_ratio']:.2f}" for kind in ("click_ms", "redis_us", "workers_us")),
        ],
    ),
    "values": (
        ["value", "pickled, bytes", "stored, bytes", "its view beside it, bytes"],
        lambda point: [point["value"], *(f"{point[name]:,}" for name in ("pickled", "stored", "view"))],
    ),
}  # fmt: skip


# --- plots ---


def save(figure: Figure, file: Path) -> None:
    """Write a plot without a background; the same numbers give the same bytes."""
    matplotlib.rcParams["svg.hashsalt"] = file.stem
    FigureCanvasSVG(figure)
    figure.savefig(file, transparent=True, metadata={"Date": None})


def _figure(columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(4.6 * columns, 3.2), layout="constrained")
    axes = [figure.add_subplot(1, columns, column + 1) for column in range(columns)]
    for one in axes:
        one.grid(alpha=0.25, color=GREY)
        one.tick_params(colors=GREY)
        for part in (one.xaxis.label, one.yaxis.label, one.title):
            part.set_color(GREY)
        for spine in one.spines.values():
            spine.set_color(GREY)
    return figure, axes


def _lines(axes: Axes, xs: Sequence[float], lines: Iterable[tuple[str, Sequence[float], str]], **labels: Any) -> None:
    for name, ys, colour in lines:
        axes.plot(xs, ys, marker="o", markersize=3.5, label=name, color=colour)
    axes.set(ylim=(0, None), **labels)
    if len(axes.lines) > 1:
        axes.legend(labelcolor=GREY, frameon=False)


def _latencies(points: list[Found]) -> list[tuple[str, list[float], str]]:
    return [
        (name, [point["latency_ms"][name] for point in points], colour)
        for name, colour in (("p50", BLUE), ("p99", ORANGE))
    ]


def _sessions(points: list[Found]) -> Figure:
    figure, (rate, latency) = _figure(2)
    xs = [point["sessions"] for point in points]
    per_second = [point["events_per_second"] for point in points]
    _lines(rate, xs, [("events/s", per_second, BLUE)], xlabel="sessions", ylabel="events/s", xscale="log")
    _lines(latency, xs, _latencies(points), xlabel="sessions", ylabel="latency, ms", xscale="log")
    for axes in (rate, latency):
        axes.set_xticks(xs, [f"{x:,}" for x in xs])
        axes.minorticks_off()
    return figure


def _processes(points: list[Found]) -> Figure:
    figure, (axes,) = _figure()
    names = [f"{point['gateways']} gateway{'s'[: point['gateways'] > 1]}\n{point['workers']} worker"
             f"{'s'[: point['workers'] > 1]}" for point in points]  # fmt: skip
    axes.bar(names, [point["events_per_second"] for point in points], color=BLUE, width=0.6)
    axes.set(ylabel="events/s", ylim=(0, None))
    return figure


def _load(points: list[Found]) -> Figure:
    figure, (axes,) = _figure()
    xs = [point["events_per_second"] for point in points]
    _lines(axes, xs, _latencies(points), xlabel="events/s", ylabel="latency, ms", xlim=(0, None))
    return figure


def _fan_out(points: list[Found]) -> Figure:
    figure, (axes,) = _figure()
    rates = sorted({point["rate"] for point in points})
    for colour, crowd in zip((BLUE, ORANGE, GREEN), dict.fromkeys(point["crowd"] for point in points), strict=False):
        ys = [point["gateway_us_per_frame"] for point in points if point["crowd"] == crowd]
        _lines(axes, rates, [(crowd, ys, colour)])
    axes.set(xlabel="updates/s", ylabel="CPU of a frame, µs", ylim=(0, None))
    return figure


def _memory(points: list[Found]) -> Figure:
    figure, (axes,) = _figure()
    xs, ys = [point["events"] for point in points], [point["kb_per_session"] for point in points]
    _lines(axes, xs, [("KB", ys, BLUE)], xlabel="events so far", ylabel="KB of a session")
    return figure


#: With each, what those read who don't see it.
PLOTS: dict[str, tuple[Callable[[list[Found]], Figure], str]] = {
    "sessions": (_sessions, "Events a second, and latencies, against the number of sessions"),
    "processes": (_processes, "Events a second with one and two gateways and workers"),
    "load": (_load, "Latency against load"),
    "fan_out": (_fan_out, "The gateway's CPU for a frame, against updates a second"),
    "memory": (_memory, "Memory of a session in Redis, against the events that it has had"),
}
