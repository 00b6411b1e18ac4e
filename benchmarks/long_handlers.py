"""Clicks while long handlers run: sleeping ones and async ones in the same process, and one that computes in another.

    python benchmarks/long_handlers.py [--clicks 200]

Each kind is measured beside clicks with nothing else running, in turn, in the same run: quote the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from deployment import Deployment, rss_of

from support.browser import MSGPACK, Tab

SLEEPERS, NAPS, TABS = 64, 5000, 250


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clicks", type=int, default=200)
    clicks = parser.parse_args().clicks
    with Deployment(workers=1) as deployment:
        compare("64 handlers that sleep for 30 s, --concurrency 8", deployment, clicks, sleeping)
    with Deployment(workers=1) as deployment:
        compare("5,000 async handlers that wait", deployment, clicks, napping)
        print(f"  memory of the worker {rss_of(deployment.workers[0].pid) / 2**20:.0f} MB")
    with Deployment(workers=2) as deployment:
        compare("one process of two computes", deployment, clicks, computing)


def compare(name: str, deployment: Deployment, clicks: int, busy: Callable[[Deployment], object]) -> None:
    """Time clicks before and while a process is busy."""
    alone = clicked(deployment, clicks)
    with busy(deployment):  # type: ignore[attr-defined]
        beside = clicked(deployment, clicks)
    print(name)
    for label, times in (("alone", alone), ("meanwhile", beside)):
        cuts = statistics.quantiles(times, n=100)
        print(f"  click to update, {label:10} median {cuts[49] * 1000:6.2f} ms   p99 {cuts[98] * 1000:6.2f} ms")
    print(f"  ratio of the medians        {statistics.median(beside) / statistics.median(alone):.2f}", flush=True)


def clicked(deployment: Deployment, times: int) -> list[float]:
    """Time so many clicks of a session of their own, in seconds, after some that are not counted."""
    taken = []
    with Tab(deployment.url, subprotocol=MSGPACK) as tab:
        for count in range(times + 20):
            began = time.perf_counter()
            tab.call("increment")
            if count >= 20:
                taken.append(time.perf_counter() - began)
    return taken


@contextmanager
def sleeping(deployment: Deployment) -> Iterator[None]:
    """Have many plain handlers sleep."""
    with ExitStack() as stack:
        tabs = [stack.enter_context(Tab(deployment.url)) for _ in range(SLEEPERS)]
        for tab in tabs:
            tab.fire("sleep", 30)
        for tab in tabs:
            tab.wait_for(lambda tab=tab: tab.state.get("sleeps"), 30)  # type: ignore[misc]
        yield


@contextmanager
def napping(deployment: Deployment) -> Iterator[None]:
    """Have thousands of async handlers wait."""
    with ExitStack() as stack:
        tabs = [stack.enter_context(Tab(deployment.url)) for _ in range(TABS)]
        for tab in tabs:
            for _ in range(NAPS // TABS):
                tab.fire("nap_until_told")
        other = stack.enter_context(Tab(deployment.url))
        while other.call("count_naps")["result"] < NAPS:
            pass
        yield


@contextmanager
def computing(deployment: Deployment) -> Iterator[None]:
    """Have one handler compute, again and again, in whichever process it lands."""
    with Tab(deployment.url) as tab:
        tab.fire("compute", 20)
        tab.wait_for(lambda: tab.state.get("computes"))
        yield


if __name__ == "__main__":
    main()
