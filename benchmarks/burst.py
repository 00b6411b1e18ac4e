"""A burst: 100 events of one session at once, while nothing else waits.

    python benchmarks/burst.py [--events 100] [--bursts 30]

Prints the Celery messages and the worker's round trips that a burst takes, its updates, how long it lasts, and the CPU
of all processes together: first with sessions that no worker had before (so that Celery brings them), then with the
same one again and again (so that its worker is told directly).
"""

from __future__ import annotations

import argparse
import re
import socket
import statistics
import time
import urllib.request
from dataclasses import dataclass

from deployment import Deployment

from support.browser import MSGPACK, Tab


@dataclass(frozen=True, slots=True)
class Burst:
    """What one burst took."""

    messages: int
    round_trips: float
    updates: int
    seconds: float
    cpu: float


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--bursts", type=int, default=30)
    arguments = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Deployment(workers=1, environ={"MANYHANDS_METRICS_PORT": f"127.0.0.1:{port}"}) as deployment:
        with Tab(deployment.url, subprotocol=MSGPACK) as tab:
            for _ in range(3):
                burst(deployment, port, tab, arguments.events)
            again = [burst(deployment, port, tab, arguments.events) for _ in range(arguments.bursts)]
        first = []
        for _ in range(arguments.bursts):
            with Tab(deployment.url, subprotocol=MSGPACK) as tab:
                first.append(burst(deployment, port, tab, arguments.events))
    for name, found in (("a new session", first), ("the same session", again)):
        print(f"{name}: {arguments.events} events, medians of {len(found)} bursts (most)")
        for label, values in (
            ("Celery messages", [one.messages for one in found]),
            ("round trips of the worker per 10 events", [10 * one.round_trips / arguments.events for one in found]),
            ("updates", [one.updates for one in found]),
            ("ms until the last update", [1000 * one.seconds for one in found]),
            ("µs of CPU per event, all processes", [1e6 * one.cpu / arguments.events for one in found]),
        ):
            print(f"  {label:40} {statistics.median(values):8.1f}   ({max(values):.1f})")


def burst(deployment: Deployment, port: int, tab: Tab, events: int) -> Burst:
    """Fire so many events at once and wait for their ends."""
    before, cpu = counts(deployment, port), sum(deployment.cpu().values())
    seen, began = len(tab.updates), time.perf_counter()
    numbers = [tab.fire("increment") for _ in range(events)]
    for n in numbers:
        assert tab.wait_done(n)["ok"]
    seconds = time.perf_counter() - began
    cpu = sum(deployment.cpu().values()) - cpu
    after = counts(deployment, port)
    return Burst(
        int(after[0] - before[0]), after[1] - before[1], len(tab.updates) - seen, seconds, cpu
    )


def counts(deployment: Deployment, port: int) -> tuple[float, float]:
    """Give how many Celery messages were sent, and how often the worker waited for Redis."""
    with deployment.redis.client() as client:
        sent = client.info("commandstats").get("cmdstat_lpush", {"calls": 0})["calls"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    found = re.search(r"^manyhands_worker_round_trips_total\S* (\S+)$", text, re.MULTILINE)
    assert found is not None, "the worker does not tell its round trips"
    return float(sent), float(found[1])


if __name__ == "__main__":
    main()
