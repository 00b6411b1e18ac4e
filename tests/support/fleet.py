"""A fleet: gateways and workers of one app in front of one Redis, all real processes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.browser import Tab
from support.processes import Process, Processes
from support.waiting import wait_until

SEMANTICS = str(Path(__file__).parent.parent / "apps" / "semantics")


class Fleet:
    """Some gateways and workers. Constructed, all of them serve."""

    def __init__(
        self,
        processes: Processes,
        *,
        app: str = SEMANTICS,
        gateways: int = 1,
        workers: int = 1,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.processes, self.app = processes, app
        self.environ = {"MANYHANDS_APP": app, "MANYHANDS_RATE_LIMIT": "100000", **(environ or {})}
        self.namespace = processes.environ["MANYHANDS_NAMESPACE"]
        self.workers: list[Process] = [self._start_worker() for _ in range(workers)]
        self.gateways: list[Process] = []
        self.urls: list[str] = []
        self._tabs = contextlib.ExitStack()
        for _ in range(gateways):
            self.add_gateway()
        for worker in self.workers:
            worker.wait_for_output("serving")
        if workers:
            for process, url in zip(self.gateways, self.urls, strict=True):
                process.wait_for_http(f"{url}/readyz")

    def add_gateway(self) -> str:
        """Start one more gateway and give its URL."""
        process, url = self.processes.gateway(environ=self.environ)
        self.gateways.append(process)
        self.urls.append(url)
        return url

    def add_worker(self, *arguments: str) -> Process:
        """Start one more worker and wait until it serves."""
        worker = self._start_worker(*arguments)
        self.workers.append(worker)
        worker.wait_for_output("serving")
        return worker

    def _start_worker(self, *arguments: str) -> Process:
        return self.processes.worker(self.app, *arguments, environ=self.environ)

    def tab(self, gateway: int = 0, **options: Any) -> Tab:
        """Open a tab; it is dropped when the fleet is closed."""
        return self._tabs.enter_context(Tab(self.urls[gateway], **options))

    def close(self) -> None:
        """Drop the tabs; the processes end with the test."""
        self._tabs.close()

    @property
    def log(self) -> str:
        """What the workers have logged."""
        return "".join(worker.output for worker in self.workers)

    def readiness(self, gateway: int = 0, status: int = 200) -> Any:
        """Wait for a gateway to say that it is ready, or is not, and give what it says."""
        return json.loads(self.gateways[gateway].wait_for_http(f"{self.urls[gateway]}/readyz", status))


def wait_for_lines(path: Path, count: int, timeout: float = 20) -> list[str]:
    """Wait until a file has at least so many lines, and give them."""

    def lines() -> list[str]:
        found = path.read_text().splitlines() if path.exists() else []
        return found if len(found) >= count else []

    return wait_until(lines, timeout, lambda: f"{count} lines in {path.name}")
