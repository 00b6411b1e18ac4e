"""Redis users with no more rights than `deploy/redis.acl` gives them: everything works, and nothing is asked beyond."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from support.browser import Tab
from support.fleet import SEMANTICS
from support.processes import Process, Processes
from support.redis_server import RedisServer
from support.waiting import wait_until

RULES = Path(__file__).parents[2] / "deploy" / "redis.acl"
BULKY = str(Path(__file__).parent.parent / "apps" / "bulky")
GUARDED = str(Path(__file__).parent.parent / "apps" / "guarded")
ADMIN = "admin-0123456789"


class GuardedRedis(RedisServer):
    """A Redis with the users of `deploy/redis.acl`, for a namespace, and an administrator for the test."""

    def __init__(self, directory: Path, namespace: str) -> None:
        rules = re.sub(r"\bmh(?=[:.])", namespace, RULES.read_text("utf-8"))
        file = directory / "users.acl"
        file.write_text(f"{rules}user admin on >{ADMIN} ~* &* +@all\n")
        super().__init__(directory, "--save", "", "--aclfile", str(file))

    @property
    def url(self) -> str:
        """The administrator's."""
        return self.url_of("admin", ADMIN)

    def url_of(self, user: str, password: str) -> str:
        return f"redis://{user}:{password}@127.0.0.1:{self.port}/0"

    @property
    def gateway(self) -> str:
        return self.url_of("manyhands-gateway", "GATEWAY-PASSWORD")

    @property
    def worker(self) -> str:
        return self.url_of("manyhands-worker", "WORKER-PASSWORD")

    def denied(self) -> list[str]:
        """Give what somebody was refused: commands, keys and channels."""
        with contextlib.closing(self.client()) as client:
            log: Any = client.acl_log()
            return [f"{entry['username']}: {entry['reason']} {entry['object']}" for entry in log]


@pytest.fixture
def server(tmp_path: Path, namespace: str) -> Iterator[GuardedRedis]:
    server = GuardedRedis(tmp_path, namespace)
    server.start()
    yield server
    server.kill()


Start = Callable[[str], tuple[Process, Process, str]]


@pytest.fixture
def start(server: GuardedRedis, processes: Processes) -> Start:
    """Start a worker and a gateway of an app, each as its own user; give both, and the gateway's URL."""

    def start(app: str) -> tuple[Process, Process, str]:
        common = {"MANYHANDS_APP": app, "MANYHANDS_LEASE": "1"}
        worker = processes.worker(environ={"REDIS_URL": server.worker, **common})
        gateway, url = processes.gateway(environ={"REDIS_URL": server.gateway, **common})
        worker.wait_for_output("serving")
        gateway.wait_for_http(f"{url}/readyz")
        return worker, gateway, url

    return start


def test_users_with_these_rights_alone_run_events_of_every_kind(server: GuardedRedis, start: Start) -> None:
    worker, gateway, url = start(SEMANTICS)
    with Tab(url) as tab, Tab(url, token=tab.token, subprotocol="manyhands.1.msgpack") as other:
        assert tab.call("increment")["ok"]
        # One that is detached, sees what others assign, and sends partial updates.
        long = tab.fire("slow_loop", 20)
        tab.wait_accepted(long)
        for _ in range(5):
            assert other.call("increment")["ok"]
        waiting = [tab.fire("read_sleep_write") for _ in range(3)]
        tab.cancel(waiting[-1])
        tab.wait_done(waiting[-1])
        tab.cancel(long)
        tab.wait_done(long, 20)
        other.reconnect()
        # The reaper looks once a second, and a worker that goes gives back what it runs.
        assert worker.terminate() == 0
    assert gateway.terminate() == 0
    assert server.denied() == []


def test_large_values_and_uploads_need_no_other_rights(server: GuardedRedis, start: Start) -> None:
    _, _, url = start(BULKY)
    with Tab(url) as tab, Tab(url, token=tab.token, subprotocol="manyhands.1.msgpack") as other:
        for handler in ("text", "text", "copy"):
            assert tab.call(handler, {"size": 700_000})["ok"]
        other.wait_for(lambda: other.state.get("copy") == tab.state["copy"])
        assert tab.call("read", "copy")["ok"]
        assert tab.call("received", {"files": [tab.upload(bytes(300_000))]})["ok"]
        assert tab.call("delete", "text")["ok"]
    assert server.denied() == []


def test_a_queue_of_its_own_needs_the_two_patterns_that_the_documentation_names(
    server: GuardedRedis, processes: Processes, namespace: str
) -> None:
    with contextlib.closing(server.client()) as client:
        for user in ("manyhands-gateway", "manyhands-worker"):
            client.execute_command("ACL", "SETUSER", user, f"~{namespace}.gpu*", f"~_kombu.binding*.{namespace}.gpu*")
    common = {"MANYHANDS_APP": SEMANTICS, "MANYHANDS_ROUTES": "incr*=gpu"}
    for queues in ("gpu", "turns"):
        worker = processes.worker(SEMANTICS, "--queues", queues, environ={"REDIS_URL": server.worker, **common})
        worker.wait_for_output("serving")
    gateway, url = processes.gateway(environ={"REDIS_URL": server.gateway, **common})
    gateway.wait_for_http(f"{url}/readyz")
    with Tab(url) as tab:
        for handler in ("increment", "async_increment", "increment"):
            assert tab.call(handler)["ok"]
    assert server.denied() == []


def test_verifiers_and_a_takeover_need_no_other_rights(
    server: GuardedRedis, start: Start, processes: Processes
) -> None:
    worker, _, url = start(GUARDED)
    with Tab(url) as tab:
        refused = Tab(url, hello=False, headers={"X-Verify": "no"})
        with refused:
            refused.send({"type": "hello", "client": "c"})
            assert refused.wait_closed()[0] == 4003
        worker.kill()
        n = tab.fire("increment")
        tab.wait_accepted(n)
        environ = {"REDIS_URL": server.worker, "MANYHANDS_APP": GUARDED, "MANYHANDS_LEASE": "1"}
        processes.worker(environ=environ)
        assert tab.wait_done(n, 30)["ok"]
    assert server.denied() == []


@pytest.mark.parametrize("command", ["KEYS *", "FLUSHALL", "CONFIG GET *", "EVAL return 1 0", "ACL LIST", "GET other"])
def test_no_more_than_that_is_allowed(server: GuardedRedis, command: str) -> None:
    for url in (server.gateway, server.worker):
        with redis.Redis.from_url(url) as client, pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*command.split(" ", 3))


def test_no_user_reaches_another_namespace(server: GuardedRedis, namespace: str) -> None:
    for url in (server.gateway, server.worker):
        with redis.Redis.from_url(url) as client:
            assert client.get(f"{namespace}:x") is None
            for act in (lambda c: c.get(f"x{namespace}:x"), lambda c: c.publish("other", "x")):
                with pytest.raises(redis.exceptions.NoPermissionError):
                    act(client)


def test_a_wrong_password_is_said_without_being_told(server: GuardedRedis, processes: Processes) -> None:
    wrong = server.url_of("manyhands-worker", "not-the-password")
    worker = processes.worker(SEMANTICS, environ={"REDIS_URL": wrong})
    assert worker.wait_for_exit() == 3
    assert "not-the-password" not in worker.output
    wait_until(lambda: "username-password" in worker.output, 1, f"reason in {worker.output}")
