"""The Python client's sockets, threads and tasks, against a gateway that the test plays."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from manyhands.client import Status, connect, connect_async
from manyhands.errors import ClientClosed
from manyhands.wire import SUBPROTOCOL_MSGPACK
from support.event_loop import run


class Gateway:
    """Welcomes every client, and answers each event in the way that its handler's name says."""

    def __init__(self) -> None:
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._seq = 0
        self._server = serve(self._talk, "127.0.0.1", 0, subprotocols=[SUBPROTOCOL_MSGPACK], compression=None)  # type: ignore[list-item]
        self.url = f"http://127.0.0.1:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="test-gateway")
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()

    def _talk(self, sock: ServerConnection) -> None:
        def say(kind: str, **fields: Any) -> None:
            sock.send(msgpack.packb({"type": kind, **fields}))

        client = msgpack.unpackb(sock.recv())["client"]  # type: ignore[arg-type]
        say("welcome", session="s", resumed=False, seq=self._seq, n=0, pending=[], ended=[], state={"counter": 0})
        with contextlib.suppress(ConnectionClosed):
            for frame in sock:
                event = msgpack.unpackb(frame)  # type: ignore[arg-type]
                self.events.put(event)
                if event["type"] == "event" and event["handler"] != "silent":
                    say("accepted", n=event["n"])
                    self._seq += 1
                    say(
                        "update", seq=self._seq, set=[[["counter"], self._seq]], unset=[], done=True, ok=True,
                        event={"client": client, "n": event["n"]}, result=event["payload"], error=None, mail=[],
                    )  # fmt: skip


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    yield made
    made.close()


@pytest.fixture
def dumb() -> Iterator[str]:
    """The URL of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_who_gives_up_connecting_does_not_wait_for_a_gateway_that_says_nothing(dumb: str) -> None:
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="no gateway has welcomed"):
        connect(dumb, timeout=0.1)
    assert time.monotonic() - started < 5


def test_a_connect_that_is_cancelled_leaves_no_task_behind(dumb: str) -> None:
    async def main() -> set[str]:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connect_async(dumb), 0.1)
        return {task.get_name() for task in asyncio.all_tasks()}

    assert "manyhands-client" not in run(main())


def test_a_callback_that_would_wait_for_itself_is_told_so(gateway: Gateway) -> None:
    said: list[str] = []

    def call(_: object) -> None:
        for wait in (lambda: client.wait_until(lambda: False), lambda: running.wait()):
            try:
                wait()
            except RuntimeError as error:
                said.append(str(error))

    with connect(gateway.url) as client:
        running = client.start("silent")
        client.subscribe("counter", call)
        client.fire("f", timeout=20)
    assert len(said) == 2
    assert all("would wait for itself" in one for one in said)


def test_once_fire_has_returned_what_was_subscribed_has_been_called(gateway: Gateway) -> None:
    called: list[Any] = []

    def call(value: Any) -> None:
        time.sleep(0.05)
        called.append(value)

    with connect(gateway.url) as client:
        client.subscribe("counter", call)
        client.fire("f", timeout=20)
        assert called == [1]


def test_an_interrupt_while_something_is_sent_loses_nothing(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(gateway.url) as client:
        assert client._socket is not None

        def interrupted(_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(client._socket.protocol, "send_binary", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.start("f", "first")
        assert client.fire("f", "second", timeout=20).ok
        assert [gateway.events.get(timeout=10)["payload"] for _ in range(2)] == ["first", "second"]


def test_a_callback_that_exits_does_not_let_others_wait_for_ever(gateway: Gateway) -> None:
    def call(_: object) -> None:
        raise SystemExit(3)

    with connect(gateway.url) as client:
        client.subscribe("counter", call)
        assert client.fire("f", timeout=20).ok
        error = client.fire("f", timeout=20).error
        assert error is not None
        assert error.message == "the client has failed: 3"


def test_a_forked_child_is_told_to_connect_anew_and_leaves_its_parents_socket_alone(gateway: Gateway) -> None:
    with connect(gateway.url) as client:
        child = os.fork()
        if child == 0:
            code = 1
            with contextlib.suppress(BaseException):
                try:
                    client.start("f")
                except ClientClosed as error:
                    client.close()
                    code = 0 if "forked" in str(error) else 2
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert client.status is Status.OPEN
        assert client.fire("f", timeout=20).ok
        assert gateway.events.qsize() == 1
