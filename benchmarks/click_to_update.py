"""Click-to-update time of one session, beside a bare Celery `send_task(...).get()` on the same Redis in the same run.

    python benchmarks/click_to_update.py [--rounds 10] [--clicks 50]

The two are measured in turn, round by round, so that a machine whose speed drifts harms both alike: quote the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from celery import Celery

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.browser import MSGPACK, Tab  # noqa: E402 - found only now
from support.processes import Processes  # noqa: E402
from support.redis_server import RedisServer  # noqa: E402

BARE = """
from celery import Celery
app = Celery("bare", broker={url!r}, backend={url!r})

@app.task
def add(x):
    return x + 1
"""


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--clicks", type=int, default=50)
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp())
    server = RedisServer(directory)
    server.start()
    app = str(ROOT / "tests" / "apps" / "semantics")
    environ = {"REDIS_URL": server.url, "MANYHANDS_SECRET_KEY": "only-for-benchmarks", "MANYHANDS_RATE_LIMIT": "100000"}
    processes = Processes(directory, environ)
    try:
        _, url = processes.gateway(environ={"MANYHANDS_APP": app})
        processes.worker(app).wait_for_output("serving")
        bare_url = server.url.replace("/0", "/1")
        (directory / "bare.py").write_text(BARE.format(url=bare_url))
        bare = processes.start(
            sys.executable, "-m", "celery", "-A", "bare", "worker", "-c", "2", "-l", "INFO", directory=directory
        )
        bare.wait_for_output("ready")
        measure(url, Celery("bare", broker=bare_url, backend=bare_url), arguments.rounds, arguments.clicks)
    finally:
        processes.end()
        server.kill()


def measure(url: str, celery: Celery, rounds: int, clicks: int) -> None:
    """Measure both in turn."""
    with Tab(url, subprotocol=MSGPACK) as tab:
        click = lambda: tab.call("increment")  # noqa: E731 - two things to time
        task = lambda: celery.send_task("bare.add", args=[1]).get()  # noqa: E731
        for act in (click, task):
            timed(act, 20)
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(rounds):
            ours += timed(click, clicks)
            theirs += timed(task, clicks)
    for name, times in (("click to update", ours), ("bare send_task().get()", theirs)):
        cuts = statistics.quantiles(times, n=100)
        print(f"{name:24} median {cuts[49] * 1000:6.2f} ms   p99 {cuts[98] * 1000:6.2f} ms   of {len(times)}")
    print(f"ratio of the medians     {statistics.median(ours) / statistics.median(theirs):.2f}")


def timed(act: Callable[[], object], times: int) -> list[float]:
    """Time an act so many times, in seconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return taken


if __name__ == "__main__":
    main()
