"""The fault injector: what can go wrong, in an order that a seed decides."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from chaos.driver import Load
from chaos.fleet import LEASE, Fleet
from support.processes import Process, get
from support.redis_server import RedisServer

#: Seconds between two looks at the clock, and at processes that have to be started again.
LOOK = 0.05
#: Least and most seconds between two faults.
PACE = (0.5, 2.5)
#: Least and most seconds that a Redis is away.
AWAY = (0.2, 2.0)
#: Seconds that a fault waits for a worker that is running a handler.
BUSY_WITHIN = 1.0
#: Bytes of the trace in which handlers that are running are looked for.
TAIL = 2**16


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that went wrong, by `time.monotonic`."""

    kind: str
    at: float
    #: When it was over: the Redis answers again, the worker goes on.
    over: float
    #: Of the worker it befell.
    pid: int | None = None


class Injector:
    """Torments a fleet under load."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self.fleet = fleet
        self.done: list[Fault] = []
        self._load: Load | None = None
        self._random = random.Random(seed)
        self._bag: list[str] = []
        self.kinds: dict[str, Callable[[], int | None]] = {
            "worker killed": self._kill_worker,
            "worker stopped beyond its lease": self._stop_worker,
            "worker told to go": self._terminate_worker,
            "gateway killed": self._kill_gateway,
            "gateway told to go": self._terminate_gateway,
            "queue of doorbells deleted": self._delete_queue,
            "pub/sub connections killed": lambda: self._kill_clients("pubsub"),
            "other Redis connections killed": lambda: self._kill_clients("normal"),
            "scripts forgotten": self._flush_scripts,
            "Redis killed": lambda: self._kill_redis(self.fleet.redis),
            "browsers dropped": self._drop_browsers,
        }
        if fleet.broker is not fleet.redis:
            self.kinds["broker killed"] = lambda: self._kill_redis(self.fleet.broker)

    def torment(self, load: Load, seconds: float) -> None:
        """Inject faults for some time, each kind once before any comes again."""
        self._load = load
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._pass_time(self._random.uniform(*PACE))
            self.inject(self._next())

    def inject(self, kind: str) -> None:
        """Inject one fault, to its end."""
        at = time.monotonic()
        pid = self.kinds[kind]()
        fault = Fault(kind, at, time.monotonic(), pid)
        self.done.append(fault)
        with (self.fleet.directory / "faults").open("a") as file:
            file.write(f"{time.strftime('%H:%M:%S')} {at:.3f} to {fault.over:.3f} {kind} {pid or ''}\n")

    def _next(self) -> str:
        if not self._bag:
            self._bag = list(self.kinds)
            self._random.shuffle(self._bag)
        return self._bag.pop()

    def _pass_time(self, seconds: float, *, mending: bool = True) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if mending:
                self.fleet.mend()
            time.sleep(LOOK)

    # --- the faults ---

    def _busy_worker(self) -> Process:
        """Wait a little for a worker that is running a handler: there is more to be lost."""
        until = time.monotonic() + BUSY_WITHIN
        while time.monotonic() < until:
            running = running_pids(self.fleet.trace)
            busy = [one for one in self.fleet.workers if one.pid in running]
            if busy:
                return self._random.choice(busy)
            time.sleep(LOOK)
        return self._random.choice(self.fleet.workers)

    def _kill_worker(self) -> int | None:
        worker = self._busy_worker()
        self.fleet.kill_worker(worker)
        return worker.pid

    def _stop_worker(self) -> int | None:
        worker = self._busy_worker()
        worker.send(signal.SIGSTOP)
        self._pass_time(LEASE + self._random.uniform(0.3, 1.5))
        worker.send(signal.SIGCONT)
        return worker.pid

    def _terminate_worker(self) -> int | None:
        # One that is still starting has not yet said what it does at SIGTERM.
        serving = [one for one in self.fleet.workers if "serving" in one.output]
        if not serving:
            return None
        worker = self._random.choice(serving)
        self.fleet.terminate_worker(worker)
        return worker.pid

    def _kill_gateway(self) -> None:
        if self.fleet.gateways:
            self.fleet.kill_gateway(self._random.choice(list(self.fleet.gateways)))

    def _terminate_gateway(self) -> None:
        serving = [port for port in self.fleet.gateways if get(f"http://127.0.0.1:{port}/healthz")]
        if serving:
            self.fleet.terminate_gateway(self._random.choice(serving))

    def _delete_queue(self) -> None:
        with closing(self.fleet.broker.client()) as client:
            queues = list(client.scan_iter(match=f"{self.fleet.settings.namespace}.turns*"))
            if queues:
                client.delete(*queues)

    def _kill_clients(self, kind: str) -> None:
        for server in {self.fleet.redis, self.fleet.broker}:
            with closing(server.client()) as client:
                client.client_kill_filter(_type=kind, skipme=True)

    def _flush_scripts(self) -> None:
        with closing(self.fleet.redis.client()) as client:
            client.script_flush()

    def _kill_redis(self, server: RedisServer) -> None:
        server.kill()
        self._pass_time(self._random.uniform(*AWAY), mending=False)
        server.start()

    def _drop_browsers(self) -> None:
        if self._load is not None:
            self._load.drop(lambda sessions: self._random.sample(sessions, (len(sessions) + 1) // 2))


def running_pids(trace: Path) -> set[int]:
    """Give the processes that have lately begun a handler and not ended it."""
    with trace.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        lines = file.read().decode().splitlines()[1:]
    running: dict[tuple[str, str, str], int] = {}
    for line in lines:
        word, _, client, n, pid, _ = line.split()
        if word == "began":
            running[client, n, pid] = int(pid)
        else:
            running.pop((client, n, pid), None)
    return set(running.values())
