"""What large values cost those who wait: clicks beside 50 MB on their way, and a 20 MB table that is read again.

    python benchmarks/large_values.py [--rounds 4] [--clicks 300]

A browser clicks on a counter, while a program beside it does nothing, fetches a file of 50 MB, fetches a view of 20 MB
as JSON, or uploads 50 MB, again and again through the same gateway: in turn, so that a machine whose speed drifts harms
all alike. Then a handler reads a DataFrame of 20 MB twice in the same worker. Quote the ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from deployment import Deployment

from support.browser import MSGPACK, Tab
from support.http import ask

APP = str(Path(__file__).resolve().parent.parent / "tests" / "apps" / "bulky")
MIB = 2**20


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--clicks", type=int, default=300)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        deployment = stack.enter_context(Deployment(workers=1, app=APP))
        owner = stack.enter_context(Tab(deployment.url))
        clicker = stack.enter_context(Tab(deployment.url, subprotocol=MSGPACK))
        assert owner.call("file", {"size": 50 * MIB}, timeout=60)["ok"]
        assert owner.call("text", {"size": 20 * MIB}, timeout=60)["ok"]
        beside: dict[str, Callable[[], Iterator[int]] | None] = {
            "nothing": None,
            "fetches of a file of 50 MB": lambda: fetch(deployment.url, owner.state["file"]),
            "fetches of a view of 20 MB, as JSON": lambda: fetch(deployment.url, owner.fetched[0]),
            "uploads of 50 MB": lambda: upload(deployment.url, new_session(deployment.url)),
        }
        clicks(clicker, 200)
        show_clicks(measure(beside, clicker, arguments.rounds, arguments.clicks))
        show_reads(deployment, owner)


def measure(
    beside: dict[str, Callable[[], Iterator[int]] | None], clicker: Tab, rounds: int, count: int
) -> dict[str, tuple[list[float], float]]:
    """Click beside each load in turn; gives the seconds of all clicks, and the MB a second that went beside them."""
    taken: dict[str, list[float]] = {name: [] for name in beside}
    moved: dict[str, list[float]] = {name: [] for name in beside}
    for _ in range(rounds):
        for name, act in beside.items():
            with running(act) as rate:
                taken[name] += clicks(clicker, count)
            moved[name].append(rate())
    return {name: (taken[name], statistics.mean(moved[name])) for name in beside}


@contextlib.contextmanager
def running(act: Callable[[], Iterator[int]] | None) -> Iterator[Callable[[], float]]:
    """Do something again and again in a process of its own meanwhile; gives a function that tells the MB a second."""
    if act is None:
        yield lambda: 0.0
        return
    context = multiprocessing.get_context("fork")
    moved, began = context.Value("d", 0.0), time.perf_counter()
    first = context.Event()

    def again_and_again() -> None:
        while True:
            first.set()
            for count in act():
                moved.value += count / 1e6

    process = context.Process(target=again_and_again, daemon=True)
    process.start()
    first.wait()
    yield lambda: moved.value / (ended - began)
    ended = time.perf_counter()
    process.terminate()
    process.join()


def clicks(tab: Tab, count: int) -> list[float]:
    """Click so many times, each after the last one was answered."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        assert tab.call("increment")["ok"]
        taken.append(time.perf_counter() - began)
    return taken


def new_session(url: str) -> str:
    """Begin a session, and give its token: one has room for two uploads of 50 MB at a time."""
    with Tab(url, subprotocol=MSGPACK) as tab:
        return tab.token or ""


def fetch(url: str, path: str) -> Iterator[int]:
    """Fetch a blob, and say how much has come."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200
    while part := answer.read(MIB):
        yield len(part)
    connection.close()


def upload(url: str, token: str) -> Iterator[int]:
    """Upload 50 MB, a megabyte at a time, give them to a handler, and say how much has gone."""
    named = {"Authorization": f"Bearer {token}"}
    begun = ask(url, f"/_mh/upload?size={50 * MIB}", "POST", **named)
    assert begun.status == 201, begun
    name = json.loads(begun.body)["id"]
    for offset in range(0, 50 * MIB, MIB):
        assert ask(url, f"/_mh/upload/{name}?offset={offset}", "PUT", bytes(MIB), **named).status == 200
        yield MIB
    with Tab(url, token=token, subprotocol=MSGPACK) as tab:
        assert tab.call("received", {"files": [{"$upload": name}]}, timeout=60)["ok"]


def show_clicks(found: dict[str, tuple[list[float], float]]) -> None:
    """Print a row for each load."""
    print("| beside a click | click to update, ms | p99, ms | ratio of medians | MB/s beside it |")
    print("| --- | ---: | ---: | ---: | ---: |")
    base = statistics.median(next(iter(found.values()))[0])
    for name, (taken, rate) in found.items():
        median, p99 = statistics.median(taken), statistics.quantiles(taken, n=100)[-1]
        print(f"| {name} | {1000 * median:.2f} | {1000 * p99:.2f} | {median / base:.2f} | {rate:.0f} |")


def show_reads(deployment: Deployment, tab: Tab) -> None:
    """Let a handler read a table of 20 MB twice, of which a new worker has nothing."""
    assert tab.call("table", 20 * 10**6 // 8, timeout=60)["ok"]
    deployment.processes.worker(APP).wait_for_output("serving")
    deployment.workers[0].terminate()
    print("\n| reading a DataFrame of 20 MB | ms | reads of chunks |\n| --- | ---: | ---: |")
    # What every event reads besides.
    _, usual = timed(deployment, tab, "increment")
    for name in ("the first time", "again"):
        taken, reads = timed(deployment, tab, "read_table")
        print(f"| {name} | {1000 * taken:.1f} | {reads - usual} |")


def timed(deployment: Deployment, tab: Tab, handler: str) -> tuple[float, int]:
    """Run an event; gives its seconds, and how often Redis was asked for fields of a hash."""
    with deployment.redis.client() as client:
        before = client.info("commandstats")["cmdstat_hmget"]["calls"]
        began = time.perf_counter()
        assert tab.call(handler, timeout=60)["ok"]
        taken = time.perf_counter() - began
        return taken, client.info("commandstats")["cmdstat_hmget"]["calls"] - before


if __name__ == "__main__":
    main()
