"""A Redis of one's own, for development and tests: started as a child process, on loopback, on a free port.

It asks for a password, since any page and any user of the machine can reach a port on loopback, and it takes its
configuration from stdin, so that the password shows in no list of processes.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from manyhands.redis_binary import EmbeddedRedisError, RedisBinary, find_redis_binary
from manyhands.tether import tethered

HOST = "127.0.0.1"

#: Seconds a server may take to load its data and answer.
START_TIMEOUT = 20.0

#: Seconds from SIGTERM to SIGKILL. A Redis that is killed loses only what its own appendfsync lets it lose.
STOP_TIMEOUT = 5.0

#: Another process may take the free port before the server does; so often another one is tried.
PORT_ATTEMPTS = 5

LOG_NAME = "redis.log"


class EmbeddedRedis:
    """One server. Without `data`, its data goes to a temporary directory that `stop` removes.

    `options` are further lines of its configuration. `keep_open` are descriptors that the server inherits, such as
    a lock's that is to be held for as long as it lives. Start it from a thread that lives as long: see `tether`.
    """

    def __init__(
        self, data: Path | None = None, options: Mapping[str, str] | None = None, *,
        binary: RedisBinary | None = None, keep_open: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self.binary = binary or find_redis_binary()
        self.password = secrets.token_urlsafe(24)
        self.port = 0
        self._options = dict(options or {})
        self._keep_open = tuple(keep_open)
        self._temporary = data is None
        self.data = data if data is not None else Path(tempfile.mkdtemp(prefix="manyhands-redis-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL to connect to; stays the same when the server is started again."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """The process id of the server, None while it is not running."""
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start the server and wait until it answers. Raises `EmbeddedRedisError` with the end of its log."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        for _ in range(PORT_ATTEMPTS):
            self.port = self.port or _free_port()
            self._launch()
            if self._answers_in_time():
                return self
            self._end_process()
            if "Address already in use" not in self._log():
                break
            self.port = 0
        log = self._log() or "(nothing)"
        self.stop()
        raise EmbeddedRedisError(
            f"the embedded {self.binary.path} did not start on the data in {self.data}; its log ends with:\n{log}\n"
            "Should its data be damaged, delete that directory: the sessions in it are lost, your app is not."
        )

    def stop(self) -> None:
        """End the server and wait until it is gone."""
        self._end_process()
        if self._temporary:
            shutil.rmtree(self.data, ignore_errors=True)

    def forget(self, *keys: str) -> None:
        """Delete keys."""
        self._ask("DEL", *keys)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def configuration(self) -> str:
        """Write the lines of its redis.conf; `options` come last, since the last line for a name counts."""
        lines = {
            "bind": HOST, "port": str(self.port), "protected-mode": "yes", "requirepass": self.password,
            "dir": quote(str(self.data)), "loglevel": "warning", "daemonize": "no",
            "save": '""', "appendonly": "yes", "appendfsync": "everysec", "aof-load-truncated": "yes",
        } | self._options  # fmt: skip
        return "".join(f"{name} {value}\n" for name, value in lines.items())

    def _launch(self) -> None:
        with (self.data / LOG_NAME).open("wb") as log:
            self._process = subprocess.Popen(
                tethered([str(self.binary.path), "-"]), stdin=subprocess.PIPE, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, pass_fds=self._keep_open,
            )  # fmt: skip
        if self._process.stdin is not None:
            with self._process.stdin as pipe, contextlib.suppress(BrokenPipeError):
                pipe.write(self.configuration().encode())

    def _answers_in_time(self) -> bool:
        deadline = time.monotonic() + START_TIMEOUT
        while self.running and time.monotonic() < deadline:
            if self._answers():
                return True
            time.sleep(0.01)
        return False

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            return self._ask("PING") == b"+PONG"
        return False

    def _ask(self, *words: str) -> bytes:
        """Send one command and give its one-line answer. Importing a client library takes longer than all the rest."""
        with socket.create_connection((HOST, self.port), timeout=1.0) as connection:
            connection.sendall(_command("AUTH", self.password) + _command(*words))
            answer = b""
            while answer.count(b"\r\n") < 2 and (chunk := connection.recv(256)):
                answer += chunk
        return answer.removeprefix(b"+OK\r\n").strip()

    def _end_process(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _log(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self.data / LOG_NAME).read_text(errors="replace").splitlines()
            return "\n".join(lines[-12:])
        return ""


def _command(*words: str) -> bytes:
    """Write a command in the servers' protocol (RESP)."""
    parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


def quote(text: str) -> str:
    """Quote a value for redis.conf."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
