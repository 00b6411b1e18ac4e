"""A real Redis of the tests' own, on a free port of the loopback."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from pathlib import Path

import redis

from support.waiting import free_port, wait_until


class RedisServer:
    """One `redis-server`, which can be killed and started again on the same port with what it has saved."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        """`arguments` are those of redis-server, such as `--appendonly yes`; without any, nothing is saved."""
        self.directory, self.port = directory, free_port()
        self._arguments = arguments or ("--save", "", "--appendonly", "no")
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What goes into REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._popen.pid if self._popen else None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [
            *("redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.directory)),
            *("--maxclients", "20000", *self._arguments),
        ]
        with (self.directory / "redis.log").open("ab") as log:
            self._popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self.answers, 20, "answer of redis-server")

    def answers(self) -> bool:
        """Tell whether it answers a PING."""
        with contextlib.suppress(redis.RedisError), contextlib.closing(self.client()) as client:
            return bool(client.ping())
        return False

    def client(self) -> redis.Redis:
        """Make a client; the caller closes it."""
        return redis.Redis.from_url(self.url, socket_timeout=5, protocol=2)

    def stop(self) -> None:
        """End it in order, so that it saves what it is set to save."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        popen, self._popen = self._popen, None
        if popen is not None:
            popen.send_signal(number)
            popen.wait(timeout=20)
