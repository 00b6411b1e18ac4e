"""What it costs an event that its session holds much which no handler looks at.

    python benchmarks/untouched.py [--rounds 12] [--clicks 200]

The same click on a counter, in a session that holds nothing else, in one that holds 20 MB, and in one that holds 10,000
keys: in turn, round by round, so that a machine whose speed drifts harms all alike. Quote the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from deployment import Deployment

from support.browser import MSGPACK, Tab

APP = str(Path(__file__).resolve().parent.parent / "tests" / "apps" / "large")
HELD = {"nothing else": None, "20 MB": ("hoard", 20), "10,000 keys": ("fill", 5000)}


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--clicks", type=int, default=200)
    arguments = parser.parse_args()
    with Deployment(workers=1, app=APP) as deployment:
        points = measure(deployment, arguments.rounds, arguments.clicks)
    for point in points:
        print(*(f"{name} {one if isinstance(one, str) else round(one, 2)}" for name, one in point.items()), sep="; ")


def measure(deployment: Deployment, rounds: int, clicks: int) -> list[dict[str, Any]]:
    """Click in each session in turn. Ratios are to the session that holds nothing else."""
    tabs = {name: deployment.enter_context(Tab(deployment.url, subprotocol=MSGPACK)) for name in HELD}
    for name, event in HELD.items():
        if event is not None:
            assert tabs[name].call(*event, timeout=60)["ok"]
        click(tabs[name], 50)
    times: dict[str, list[float]] = {name: [] for name in HELD}
    cpu = {name: dict.fromkeys(("redis", "workers"), 0.0) for name in HELD}
    for _ in range(rounds):
        for name, tab in tabs.items():
            before = deployment.cpu()
            times[name] += click(tab, clicks)
            after = deployment.cpu()
            for kind in cpu[name]:
                cpu[name][kind] += after[kind] - before[kind]
    points: list[dict[str, Any]] = []
    for name, taken in times.items():
        point = {"click_ms": 1000 * statistics.median(taken)}
        point |= {f"{kind}_us": 1e6 * seconds / len(taken) for kind, seconds in cpu[name].items()}
        ratios = {f"{key}_ratio": one / (points[0] if points else point)[key] for key, one in point.items()}
        points.append({"holds": name, **point, **ratios})
    return points


def click(tab: Tab, times: int) -> list[float]:
    """Click so many times, each after the last one was answered, and time it, in seconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        assert tab.call("increment")["ok"]
        taken.append(time.perf_counter() - began)
    return taken


if __name__ == "__main__":
    main()
