"""A real RabbitMQ of a test's own, on free ports of the loopback, with an Erlang port mapper of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

from support.waiting import free_port, wait_until

#: Where Debian keeps the scripts that do not change to another user.
SCRIPTS = Path("/usr/lib/rabbitmq/bin")


class RabbitServer:
    """One `rabbitmq-server`."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.port = directory, free_port()
        self._mapper_port, self._distribution_port = free_port(), free_port()
        self._popens: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        """What goes into MANYHANDS_BROKER_URL."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        epmd = shutil.which("epmd")
        assert epmd, "the Erlang port mapper, epmd, is not installed"
        self._start(epmd, "-address", "127.0.0.1", "-port", str(self._mapper_port))
        wait_until(lambda: self._listens(self._mapper_port), 20, "port mapper of Erlang")
        self._start(str(SCRIPTS / "rabbitmq-server"))
        wait_until(self._greets, 60, lambda: f"RabbitMQ; its output:\n{(self.directory / 'log').read_text()}")

    def kill(self) -> None:
        """Kill it."""
        for popen in reversed(self._popens):
            os.killpg(popen.pid, 9)
            popen.wait()
        self._popens.clear()

    def _start(self, *command: str) -> None:
        environ = {
            **os.environ,
            "HOME": str(self.directory),
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "data"),
            "RABBITMQ_LOG_BASE": str(self.directory / "logs"),
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        with (self.directory / "log").open("ab") as log:
            popen = subprocess.Popen(
                command, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._popens.append(popen)

    @staticmethod
    def _listens(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def _greets(self) -> bool:
        """Tell whether it answers the AMQP header."""
        with socket.socket() as probe:
            probe.settimeout(2)
            try:
                probe.connect(("127.0.0.1", self.port))
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(probe.recv(8))
            except OSError:
                return False
