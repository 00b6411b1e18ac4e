"""The gateway's pub/sub connection and a Redis that says nothing, in a process that is patched as a gateway is."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import Process, Processes
from support.redis_server import RedisServer

#: Prints what the subscriber tells, with a silence of 0.3 s instead of 10.
SCRIPT = """
from gevent import monkey
monkey.patch_all()
import sys, gevent
from manyhands_gateway import subscriber as module
module.SILENCE = 0.3
made = module.Subscriber(sys.argv[1], "always", lambda channel, text: print("got", text.decode(), flush=True),
                         lambda: print("mended", flush=True))
made.start()
made.subscribe(b"news")
print("subscribed", flush=True)
gevent.sleep(60)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own, which it may stop."""
    one = RedisServer(tmp_path)
    one.start()
    yield one
    one.kill()


@pytest.fixture
def listener(server: RedisServer, processes: Processes) -> Process:
    process = processes.start(sys.executable, "-c", SCRIPT, server.url)
    process.wait_for_output("subscribed")
    return process


def test_silence_is_no_fault(server: RedisServer, listener: Process) -> None:
    with server.client() as client:
        before = pings(server)
        while pings(server) < before + 3:
            pass
        assert client.publish("news", "late") == 1
    listener.wait_for_output("got late")
    assert listener.output.count("mended") == 1


def pings(server: RedisServer) -> int:
    with server.client() as client:
        return int(client.info("commandstats").get("cmdstat_ping", {}).get("calls", 0))


def test_a_redis_that_hangs_is_left_and_found_again(server: RedisServer, listener: Process) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        listener.wait_for_output("Redis was silent|connecting until it works")
    finally:
        os.kill(server.pid, signal.SIGCONT)
    listener.wait_for_output("(?s)mended.*mended")
    with server.client() as client:
        client.publish("news", "again")
    listener.wait_for_output("got again")
