"""What a session leaves in Redis: nothing that stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.browser import Tab
from support.fleet import Fleet
from support.redis_server import RedisServer
from support.waiting import wait_until


def keys_of(redis_server: RedisServer, pattern: str) -> list[bytes]:
    with redis_server.client() as client:
        return list(client.scan_iter(pattern, count=1000))


def test_every_key_expires_and_lies_in_the_namespace(tmp_path: Path, fleet_of: Callable[..., Fleet]) -> None:
    server = RedisServer(tmp_path)
    server.start()
    try:
        fleet = fleet_of(gateways=1, workers=1, environ={"REDIS_URL": server.url})
        tab = fleet.tab()
        use_everything(tab)
        with server.client() as client:
            keys = list(client.scan_iter(count=1000))
            immortal = [key for key in keys if client.ttl(key) < 0]
        ours = f"{fleet.namespace}:".encode()
        assert any(key.endswith(b":state") for key in keys)
        assert [key for key in keys if not key.startswith((ours, b"_kombu."))] == []
        assert [key for key in immortal if not key.startswith(b"_kombu.")] == []
    finally:
        server.kill()


def use_everything(tab: Tab) -> None:
    tab.call("increment")
    long = tab.fire("slow_loop", 20)
    tab.wait_for(lambda: tab.state.get("rounds", 0) > 5)
    tab.call("increment")
    tab.cancel(long)
    tab.wait_done(long)
    waiting = [tab.fire("block", 0.1), tab.fire("increment"), tab.fire("increment")]
    tab.cancel(waiting[-1])
    for n in waiting:
        tab.wait_done(n)


def test_a_session_is_gone_after_its_time_and_its_token_is_refused(
    fleet_of: Callable[..., Fleet], redis_server: RedisServer
) -> None:
    fleet = fleet_of(workers=1, environ={"MANYHANDS_SESSION_TTL": "3"})
    tab = fleet.tab()
    use_everything(tab)
    session = tab.call("show_session")["result"]["id"]
    tab.drop()
    wait_until(lambda: not keys_of(redis_server, f"*{session}*"), 15, "end of the session's keys")
    again = fleet.tab(hello=False, token=tab.token)
    again.send({"type": "hello", "client": "c", "session": tab.token})
    assert again.wait_closed()[0] == 4001


def test_a_session_with_an_idle_connection_lives_on(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(workers=1, environ={"MANYHANDS_SESSION_TTL": "8"})
    tab = fleet.tab()
    tab.call("increment")
    # No event for one and a half lives: nothing comes, and that is what is waited for.
    assert not tab.read(12)
    assert tab.call("increment")["ok"]
    assert tab.state["counter"] == 2
