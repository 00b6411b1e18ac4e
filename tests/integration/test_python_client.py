"""The Python client against real gateways and workers: with threads, and on an event loop."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyhands.client import Status, connect, connect_async, transfers
from manyhands.errors import EventFailed, SessionRefused
from support.event_loop import apart, run
from support.fleet import Fleet
from support.waiting import free_port

APPS = Path(__file__).parents[1] / "apps"


@pytest.fixture(scope="module")
def fleet(module_fleet_of: Callable[..., Fleet]) -> Fleet:
    """A fleet for all tests that leave its gateways alone; each has its own sessions."""
    return module_fleet_of(gateways=2)


def test_a_program_fires_events_and_has_the_state(fleet: Fleet) -> None:
    changes: list[Any] = []
    with connect(fleet.urls[0]) as client:
        client.subscribe("counter", changes.append)
        end = client.fire("increment", timeout=10)
        assert end.ok
        assert client.state["counter"] == 1
        assert client.fire("show", {"b": b"\x00", "n": [1, None]}).result == {"b": b"\x00", "n": [1, None]}
        with pytest.raises(EventFailed, match="handler_failed"):
            client.fire("fail").check()
        assert client.state["before"] == "kept"
        unknown = client.fire("incremet").error
        assert unknown is not None
        assert unknown.code == "unknown_handler"
        with pytest.raises(TypeError, match="can be sent"):
            client.fire("show", object())

        accepted: list[int] = []
        partials: list[Any] = []
        running = client.start("slow_loop", 30, on_accepted=accepted.append, on_partial=partials.append)
        client.wait_until(lambda: len(partials) >= 2, 20)
        assert accepted == [running.n]
        assert running.end is None
        with pytest.raises(TimeoutError, match="slow_loop has not ended"):
            running.wait(0.01)
        assert client.fire("increment").ok
        running.cancel()
        cancelled = running.wait(20).error
        assert cancelled is not None
        assert cancelled.code == "cancelled"
        assert changes[-1] == 2

        with connect(fleet.urls[0], session=client.session) as second:
            assert second.state == client.state
            second.fire("increment")
            client.wait_until(lambda: client.state["counter"] == 3, 10)
    assert client.status is Status.CLOSED


def test_a_client_goes_on_with_another_gateway_and_loses_and_doubles_nothing(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(gateways=2)
    with connect(fleet.urls) as client:
        before = [client.start("append", i) for i in range(20)]
        fleet.gateways[0].kill()
        client.wait_until(lambda: client.status is Status.CONNECTING, 10)
        after = [client.start("append", i) for i in range(20, 40)]
        assert all(one.wait(30).ok is not False for one in before + after)
        client.wait_until(lambda: len(client.state["log"]) == 40, 20)
        assert client.state["log"] == list(range(40))
        assert client.unsent == 0


def test_a_gateway_that_goes_down_sends_its_programs_to_another_one(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(gateways=2)
    with connect(fleet.urls) as client:
        fired = []
        for i in range(30):
            fired.append(client.start("append", i))
            if i == 10:
                fired[-1].wait(20)
                fleet.gateways[0].send(signal.SIGTERM)
        assert all(one.wait(30).ok for one in fired)
        client.wait_until(lambda: client.state["log"] == list(range(30)), 20)


def test_without_a_gateway_connect_says_what_is_wrong() -> None:
    with pytest.raises(
        TimeoutError, match=r"no gateway has welcomed the client within 0.3 s: ws://127.0.0.1:\d+/_mh/ws"
    ):
        connect(f"http://127.0.0.1:{free_port()}", timeout=0.3)


def test_a_fault_of_the_client_ends_what_waits_for_it(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("no such key")

    async def main() -> None:
        async with await connect_async(fleet.urls[0]) as client:
            monkeypatch.setattr(client._core, "received", fail)
            error = (await client.fire("increment")).error
            assert error is not None
            assert (error.code, error.message) == ("closed", "the client has failed: 'no such key'")

    run(main())
    with connect(fleet.urls[0]) as client:
        monkeypatch.setattr(client._core, "received", fail)
        error = client.fire("increment", timeout=20).error
        assert error is not None
        assert error.code == "closed"


def test_a_session_that_a_verifier_refuses_is_refused(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(app=str(APPS / "guarded"))
    with pytest.raises(SessionRefused):
        connect(fleet.urls[0], headers={"X-Verify": "no"})
    with connect(fleet.urls[0], headers={"X-Verify": "yes"}) as client:
        assert client.status is Status.OPEN


def test_large_values_are_fetched_when_they_are_asked_for(fleet: Fleet) -> None:
    with connect(fleet.urls[0]) as client:
        client.fire("assign", [[["rows"], [[i, str(i)] for i in range(10_000)]], [["small"], 1]]).check()
        assert client.state["rows"]["type"] == "application/json"
        whole = client.fetch(client.state)
        assert whole["rows"][-1] == [9999, "9999"]
        assert whole["small"] == 1
        # What only looks so is no URL of the gateway's, and nobody is sent the session's token.
        forged = {"$blob": "@elsewhere.invalid/_mh/blob/x", "type": "application/json", "size": 1}
        client.fire("assign", [[["forged"], forged]]).check()
        assert client.fetch(client.state["forged"]) == forged
        gone = {"$blob": f"/_mh/blob/x/{'0' * 32}", "type": "application/json", "size": 1}
        with pytest.raises(LookupError, match="another value"):
            client.fetch(gone)


def test_large_bytes_are_sent_ahead_also_where_their_gateway_dies(
    fleet_of: Callable[..., Fleet], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = fleet_of(gateways=2)
    data = bytes(range(256)) * 10_000
    request = transfers._request
    asked: list[str] = []

    def dying(where: Any, method: str, path: str, *rest: Any, **more: Any) -> bytes:
        asked.append(method)
        if asked.count("PUT") == 2:
            fleet.gateways[0].kill()
        return request(where, method, path, *rest, **more)

    monkeypatch.setattr(transfers, "_request", dying)
    with connect(fleet.urls) as client:
        sent = client.upload(data)
        assert asked.count("PUT") > 3
        client.fire("assign", [[["data"], sent]], timeout=20).check()
        assert client.fetch(client.state["data"]) == data

    async def main() -> None:
        async with await connect_async(fleet.urls[1]) as other:
            assert (await other.fire("show", await other.upload(b"small"))).result == b"small"

    run(main())


def test_on_an_event_loop_many_clients_fire_at_once(fleet: Fleet) -> None:
    async def one(number: int) -> Any:
        async with await connect_async(fleet.urls[number % 2], timeout=30) as client:
            ends = await asyncio.gather(*(client.fire("increment") for _ in range(20)))
            assert all(end.ok for end in ends)
            fetched = await client.fetch(client.state)
            return fetched["counter"]

    async def main() -> list[Any]:
        return await asyncio.gather(*(one(number) for number in range(10)))

    assert run(main()) == [20] * 10


def test_on_an_event_loop_a_client_goes_on_with_another_gateway(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(gateways=2)

    async def main() -> None:
        partials: list[Any] = []
        async with await connect_async(fleet.urls) as client:
            running = client.start("slow_async", 1.0, on_partial=partials.append)
            await client.wait_until(lambda: partials, 20)
            fleet.gateways[0].kill()
            await client.wait_until(lambda: client.status is Status.CONNECTING, 10)
            fired = [client.start("append", i) for i in range(10)]
            assert (await asyncio.wait_for(running, 30)).result == 1.0
            assert [(await one).ok for one in fired] == [True] * 10
            assert client.state["log"] == list(range(10))
            stuck = client.start("slow_async", 60)
            await client.wait_until(lambda: stuck.accepted, 10)
            stuck.cancel()
            error = (await stuck).error
            assert error is not None
            assert error.code == "cancelled"

    run(main())


def test_clients_follow_the_rooms_that_their_sessions_join(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(app=str(APPS / "rooms"))
    heard: list[Any] = []
    with connect(fleet.urls[0]) as one, connect(fleet.urls[0]) as other:
        one.subscribe("@chat.messages", heard.append)
        one.fire("join", "chat").check()
        other.fire("say", ["chat", "hello"]).check()
        one.wait_until(lambda: "hello" in str(one.shared.get("chat")), 10)
        assert other.shared == {}
        one.fire("leave", "chat").check()
        one.wait_until(lambda: not one.shared, 10)
    assert ["nobody: hello"] in heard


def test_the_programs_that_the_documentation_shows_run(fleet_of: Callable[..., Fleet], tmp_path: Path) -> None:
    """Each with the app that docs/testing.md shows."""
    docs = Path(__file__).parents[2] / "docs"
    blocks = re.compile(r"<!-- (?P<mark>[^\n]*) -->\n```python\n(?P<code>.*?)^```$", re.M | re.S)
    (tmp_path / "main.py").write_text(next(iter(blocks.finditer((docs / "testing.md").read_text("utf-8"))))["code"])
    fleet = fleet_of(app=str(tmp_path))
    programs = [one["code"] for one in blocks.finditer((docs / "python_client.md").read_text("utf-8"))]
    assert len(programs) == 3
    named: dict[str, Any] = {"URL": fleet.urls[0]}
    for program in programs:
        apart(exec, compile(program, "docs/python_client.md", "exec"), named)
