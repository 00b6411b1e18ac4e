"""The fleet that is tormented: two gateways, some workers, a Redis that saves every write, perhaps two of these."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from manyhands.settings import Settings
from support.processes import DRAIN, Process, Processes, get
from support.redis_server import RedisServer
from support.waiting import free_port, wait_until

APP = str(Path(__file__).parents[1] / "apps" / "chaos")
#: Seconds. Short, so that takeovers are quick and many fit into a run.
LEASE = 1.0
#: Seconds that a handler keeps its turn. Far above what short ones take: on a busy machine, one that is detached by
#: accident would rightly break the order that the checks ask for.
TURN_LIMIT = 1.0
#: More runs of one event than a campaign kills: `worker_lost` would be a fault of ours.
MAX_ATTEMPTS = 20
SECRET = "only-for-tests-0123456789"
GATEWAYS = 2


@dataclass(slots=True)
class Leaving:
    """A process that was told to end."""

    process: Process
    since: float
    #: Of a gateway: the port on which another one starts once it has gone.
    port: int | None = None


class Fleet:
    """Everything that runs, and what is known of it. One thread uses it."""

    def __init__(self, directory: Path, *, workers: int = 3, own_broker: bool = False) -> None:
        self.directory, self.trace = directory, directory / "trace"
        self.trace.touch()
        self.redis = self._redis("redis")
        self.broker = self._redis("broker") if own_broker else self.redis
        self.ports = [free_port() for _ in range(GATEWAYS)]
        self.settings = Settings(
            redis_url=self.redis.url, broker_url_or_none=self.broker.url, namespace="chaos", secret_keys=(SECRET,)
        )
        environ = {
            "REDIS_URL": self.redis.url, "MANYHANDS_BROKER_URL": self.broker.url, "MANYHANDS_NAMESPACE": "chaos",
            "MANYHANDS_SECRET_KEY": SECRET, "MANYHANDS_APP": APP, "MANYHANDS_LEASE": str(LEASE),
            "MANYHANDS_TURN_LIMIT": str(TURN_LIMIT), "MANYHANDS_MAX_ATTEMPTS": str(MAX_ATTEMPTS),
            "MANYHANDS_RATE_LIMIT": "1000", "CHAOS_TRACE": str(self.trace),
        }  # fmt: skip
        self._processes = Processes(directory, environ)
        self._wanted_workers = workers
        self.workers: list[Process] = []
        self.gateways: dict[int, Process] = {}
        self.leaving: list[Leaving] = []
        #: Processes that ended by themselves, or not as they should.
        self.broken: list[str] = []

    @property
    def urls(self) -> list[str]:
        """Where the gateways listen, now or soon again."""
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def _redis(self, name: str) -> RedisServer:
        directory = self.directory / name
        directory.mkdir()
        return RedisServer(directory, "--save", "", "--appendonly", "yes", "--appendfsync", "always")

    # --- life ---

    @contextmanager
    def running(self) -> Iterator[Fleet]:
        """Start everything; kill everything at the end."""
        try:
            for server in {self.redis, self.broker}:
                server.start()
            for _ in range(self._wanted_workers):
                self.start_worker()
            for port in self.ports:
                self.start_gateway(port)
            self.wait_until_whole()
            yield self
        finally:
            self._processes.end()
            for server in {self.redis, self.broker}:
                server.kill()

    def start_worker(self) -> None:
        """Start one more worker."""
        self.workers.append(self._processes.worker(APP, "--concurrency", "4"))

    def start_gateway(self, port: int) -> None:
        """Start a gateway on a port that is free."""
        arguments = ("gateway", "--host", "127.0.0.1", "--port", str(port))
        self.gateways[port] = self._processes.manyhands(*arguments)

    def mend(self) -> None:
        """Start again what has gone, and note what went as it should not."""
        for one in list(self.leaving):
            self._follow(one)
        for worker in [one for one in self.workers if one.code is not None]:
            self.workers.remove(worker)
            # One that finds no Redis at its start says so and ends with 3.
            if worker.code != 3 or "serving" in worker.output:
                self.broken.append(f"worker {worker.pid} ended by itself with {worker.code}, log {worker.log}")
        for port, gateway in list(self.gateways.items()):
            if gateway.code is not None:
                self.broken.append(f"gateway {gateway.pid} ended by itself with {gateway.code}, log {gateway.log}")
                self.start_gateway(port)
        while len(self.workers) < self._wanted_workers:
            self.start_worker()

    def _follow(self, one: Leaving) -> None:
        if one.process.code is None and time.monotonic() < one.since + DRAIN:
            return
        self.leaving.remove(one)
        if one.process.code != 0:
            how = "did not end in time" if one.process.code is None else f"ended with {one.process.code}"
            self.broken.append(f"process {one.process.pid} {how} after SIGTERM, log {one.process.log}")
            one.process.kill()
        if one.port is not None:
            self.start_gateway(one.port)

    def wait_until_whole(self, timeout: float = 60) -> None:
        """Mend until every gateway and every worker serves."""
        wait_until(self._is_whole, timeout, f"whole fleet; logs in {self.directory}")

    def _is_whole(self) -> bool:
        self.mend()
        # A gateway that was just killed may still have to be started.
        ready = len(self.gateways) == GATEWAYS and all(get(f"{url}/readyz") is not None for url in self.urls)
        return ready and not self.leaving and all("serving" in worker.output for worker in self.workers)

    # --- death ---

    def kill_worker(self, worker: Process) -> None:
        """Kill a worker; `mend` starts another."""
        self.workers.remove(worker)
        worker.kill()

    def terminate_worker(self, worker: Process) -> None:
        """Tell a worker to go; `mend` starts another at once."""
        self.workers.remove(worker)
        self.leaving.append(Leaving(worker, time.monotonic()))
        worker.send(signal.SIGTERM)

    def kill_gateway(self, port: int) -> None:
        """Kill a gateway with its processes, and start another."""
        self.gateways.pop(port).kill()
        self.start_gateway(port)

    def terminate_gateway(self, port: int) -> None:
        """Tell a gateway to go; `mend` starts another when it has."""
        gateway = self.gateways.pop(port)
        self.leaving.append(Leaving(gateway, time.monotonic(), port))
        gateway.send(signal.SIGTERM)
