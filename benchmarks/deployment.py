"""A deployment to be measured: Redis, gateways and workers by their real commands, and the CPU that each of them takes.

The machine may be noisy, so what is compared is CPU time (user and system, all threads), never the clock alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.processes import Processes  # noqa: E402 - found only now
from support.redis_server import RedisServer  # noqa: E402

#: An app whose `increment` adds one to `counter`.
APP = str(ROOT / "tests" / "apps" / "semantics")
TICK = 1 / os.sysconf("SC_CLK_TCK")


class Deployment(contextlib.ExitStack):
    """Redis, gateways behind one port, workers; constructed, all of them serve. Closing it ends them."""

    def __init__(
        self, *, gateways: int = 1, workers: int = 2, redis: Sequence[str] = (),
        environ: Mapping[str, str] | None = None, app: str = APP,
    ) -> None:  # fmt: skip
        """`redis` are arguments of redis-server; `environ` is added to what all processes are given."""
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="manyhands-benchmark-"))
        self.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.redis = RedisServer(self.directory, *redis)
        self.redis.start()
        self.callback(self.redis.kill)
        self.namespace = "mh"
        self.environ = {
            "REDIS_URL": self.redis.url, "MANYHANDS_APP": app, "MANYHANDS_SECRET_KEY": "only-for-benchmarks",
            "MANYHANDS_RATE_LIMIT": "100000", "MANYHANDS_NAMESPACE": self.namespace, **(environ or {}),
        }  # fmt: skip
        self.processes = Processes(self.directory, self.environ)
        self.callback(self.processes.end)
        try:
            self.workers = [self.processes.worker(app) for _ in range(workers)]
            self.gateway, self.url = self.processes.gateway("--processes", str(gateways))
            for worker in self.workers:
                worker.wait_for_output("serving")
            if workers:
                self.gateway.wait_for_http(f"{self.url}/readyz")
        except BaseException:
            self.close()
            raise

    def pids(self) -> dict[str, list[int]]:
        """Give the processes of each kind, their children included."""
        return {
            "redis": [self.redis.pid or 0],
            "gateways": tree(self.gateway.pid),
            "workers": [pid for worker in self.workers for pid in tree(worker.pid)],
        }

    def cpu(self) -> dict[str, float]:
        """Give the seconds of CPU that each kind of process has taken so far."""
        return {kind: sum(map(cpu_of, pids)) for kind, pids in self.pids().items()}


def cpu_of(pid: int) -> float:
    """Give the seconds of CPU, in user code and in the kernel, that all threads of a process have taken so far."""
    # The name, in parentheses, may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def rss_of(pid: int) -> int:
    """Give the bytes of memory that a process has to itself or shares."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> list[int]:
    """Give a process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in tree(int(child)))]
