"""What a deployment does and costs as it grows: every measurement of docs/performance.md, in one command.

    python benchmarks/scaling.py [--only sessions,load] [--quick] [--write docs]

Takes about ten minutes. With `--write docs` the raw numbers go to docs/performance/*.json, the plots beside them, and
the tables into docs/performance.md. `--draw docs` only makes plots and tables anew, of the numbers that are there.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import connections as connections_benchmark
import fan_out as fan_out_benchmark
import resting as resting_benchmark
import untouched as untouched_benchmark
from connections import memory_of
from crowd import Member, allow_files, gather
from deployment import ROOT, Deployment
from figures import draw_all, table_of
from throughput import measure

#: Sessions of a closed loop whose highest throughput is what `load` takes its rates from.
CROWD = 200
SESSIONS = [1, 10, 50, CROWD, 1000, 2000]
#: Shares of that throughput.
RATES = [0.1, 0.25, 0.5, 0.7, 0.85, 0.95]
#: Events that a session has had when its memory is looked at, and how many sessions are looked at together.
EVENTS, STORED = [0, 1, 10, 100, 300, 600, 1000], 20
#: What is kept of each run of `manyhands load`.
KEPT = ("sessions", "rate", "events_per_second", "latency_ms", "right", "errors", "rejections", "problems",
        "cpu_us_per_event", "cores", "generator")  # fmt: skip

Point = dict[str, Any]


class Scale:
    """How long each measurement takes; `highest` is known once the sessions were measured."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.duration = 2 if quick else 8
        self.highest = 0.0

    def load(self, deployment: Deployment, sessions: int, rate: float | None = None, **more: Any) -> Point:
        """Run the load test once."""
        found = measure(deployment, sessions=sessions, rate=rate, duration=self.duration, warmup=2)
        point = {**more, **{name: found[name] for name in KEPT}}
        verdict = "" if point["right"] else "   WRONG"
        text = f"{point['events_per_second']:,.0f} events/s, p99 {point['latency_ms']['p99']:.1f} ms{verdict}"
        print(f"    {sessions:,} sessions, {rate or 'closed loop'}: {text}", file=sys.stderr)
        return point


def sessions(scale: Scale) -> list[Point]:
    """Events a second of ever more sessions in a closed loop."""
    counts = SESSIONS[:4] if scale.quick else SESSIONS
    with Deployment() as deployment:
        points = [scale.load(deployment, count, gateways=1, workers=2) for count in counts]
    scale.highest = next(point["events_per_second"] for point in points if point["sessions"] == CROWD)
    return points


def processes(scale: Scale) -> list[Point]:
    """The same sessions before one and two workers, and gateways."""
    points = []
    for gateways, workers in ((1, 1), (1, 2), (2, 1), (2, 2)):
        with Deployment(gateways=gateways, workers=workers) as deployment:
            points.append(scale.load(deployment, CROWD, gateways=gateways, workers=workers))
    return points


def load(scale: Scale) -> list[Point]:
    """Latency at fractions of the highest throughput."""
    with Deployment() as deployment:
        highest = scale.highest or scale.load(deployment, CROWD)["events_per_second"]
        rates = RATES[1:4] if scale.quick else RATES
        return [scale.load(deployment, CROWD, round(share * highest), share=share) for share in rates]


def memory(scale: Scale) -> list[Point]:
    """Bytes of a session in Redis, by the events that it has had."""
    with Deployment(workers=1) as deployment:
        return asyncio.run(_memory(deployment, EVENTS[:4] if scale.quick else EVENTS))


async def _memory(deployment: Deployment, events: list[int]) -> list[Point]:
    await gather(deployment.url, 1)
    empty, members, points, n = memory_of(deployment), await gather(deployment.url, STORED), [], 0
    for count in events:
        while n < count:
            n += 1
            await _fire(members, n)
        points.append({"events": count, "kb_per_session": round((memory_of(deployment) - empty) / STORED / 1000, 2)})
    return points


async def _fire(members: list[Member], n: int) -> None:
    """Fire one event of each, and wait until all have had `accepted` and the update."""
    for member in members:
        member.send({"type": "event", "n": n, "handler": "increment"})
    deadline = time.monotonic() + 30
    while any(member.envelopes < 2 * n for member in members):
        if time.monotonic() > deadline:
            sys.exit("updates have not arrived")
        await asyncio.sleep(0.002)


def connections(scale: Scale) -> list[Point]:
    """Idle connections of one gateway process."""
    count, seconds = (1000, 5) if scale.quick else (10_000, 30)
    allow_files(count + 400)
    with Deployment(workers=1) as deployment:
        return [asyncio.run(connections_benchmark.measure(deployment, count, seconds))]


def fan_out(scale: Scale) -> list[Point]:
    """One session's updates to 1,000 connections."""
    allow_files(1200)
    with Deployment(workers=1) as deployment:
        return asyncio.run(fan_out_benchmark.measure(deployment, 1000, [1.0, 10.0], 2 if scale.quick else 15))


def untouched(scale: Scale) -> list[Point]:
    """A click in sessions that hold much beside what it looks at."""
    with Deployment(workers=1, app=untouched_benchmark.APP) as deployment:
        return untouched_benchmark.measure(deployment, *((3, 50) if scale.quick else (20, 200)))


def resting(_scale: Scale) -> list[Point]:
    """Bytes of an idle session in Redis."""
    with Deployment(workers=1) as deployment:
        return resting_benchmark.measure(deployment)


#: In this order, since `load` needs what `sessions` finds. With each, the command that measures some of it alone.
MEASUREMENTS: dict[str, tuple[Callable[[Scale], list[Point]], str]] = {
    "sessions": (sessions, "python benchmarks/throughput.py --sessions 200"),
    "processes": (processes, "python benchmarks/throughput.py --gateways 2 --workers 2"),
    "load": (load, "python benchmarks/throughput.py --rate 1000"),
    "fan_out": (fan_out, "python benchmarks/fan_out.py"),
    "connections": (connections, "python benchmarks/connections.py"),
    "memory": (memory, "python benchmarks/scaling.py --only memory"),
    "resting": (resting, "python benchmarks/resting.py"),
    "untouched": (untouched, "python benchmarks/untouched.py"),
}


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAMES", help=f"some of {','.join(MEASUREMENTS)}")
    parser.add_argument("--quick", action="store_true", help="two minutes and rough figures: to see that it works")
    parser.add_argument("--write", type=Path, metavar="DIR", help="write numbers, plots and tables there")
    parser.add_argument("--draw", type=Path, metavar="DIR", help="measure nothing; draw what is there")
    arguments = parser.parse_args()
    if arguments.draw:
        draw_all(arguments.draw)
        return 0
    wanted = arguments.only.split(",") if arguments.only else list(MEASUREMENTS)
    if unknown := set(wanted) - set(MEASUREMENTS):
        parser.error(f"there is no measurement {', '.join(sorted(unknown))}")
    scale, right = Scale(quick=arguments.quick), True
    for name in (name for name in MEASUREMENTS if name in wanted):
        print(f"{name} …", file=sys.stderr)
        act, command = MEASUREMENTS[name]
        found = {"command": command, "machine": machine(), "points": act(scale)}
        right &= all(point.get("right", True) for point in found["points"])
        print("\n".join(table_of(name, found)) + "\n", flush=True)
        if arguments.write:
            directory = arguments.write / "performance"
            directory.mkdir(parents=True, exist_ok=True)
            (directory / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    if arguments.write:
        draw_all(arguments.write)
    return 0 if right else 1


def machine() -> dict[str, Any]:
    """Say on what it was measured."""
    cpu = "an unknown processor"
    with contextlib.suppress(OSError):
        named = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        cpu = named[1] if named else cpu
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\S+)", redis)
    return {
        "cores": os.cpu_count(), "processor": cpu, "python": platform.python_version(),
        "redis": found[1] if found else "?", "day": time.strftime("%Y-%m-%d", time.gmtime()),
    }  # fmt: skip


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
