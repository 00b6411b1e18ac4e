"""Fifty megabytes on their way: the session's next event, and everybody else's, end before they have come."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from support.browser import Tab
from support.fleet import Fleet
from support.http import ask

APP = "tests/apps/bulky"
MIB = 2**20
SIZE = 50 * MIB


@pytest.fixture
def fleet(fleet_of: Callable[..., Fleet]) -> Fleet:
    return fleet_of(app=APP)


@contextmanager
def request(url: str, head: str, receive_buffer: int = 64 * 1024) -> Iterator[socket.socket]:
    """Send the head of a request, of a peer whose system takes in little before it is read."""
    parts = urlsplit(url)
    with socket.socket() as opened:
        opened.settimeout(30)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        opened.connect((parts.hostname, parts.port))
        opened.sendall(f"{head}\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        yield opened


def read_all(opened: socket.socket) -> bytes:
    parts = []
    while part := opened.recv(MIB):
        parts.append(part)
    return b"".join(parts)


def assert_all_go_on(fleet: Fleet, tab: Tab) -> None:
    """Run events of the session and of others, each to its end."""
    with Tab(fleet.urls[0], token=tab.token) as same, Tab(fleet.urls[0]) as stranger:
        for one in (tab, same, stranger):
            assert one.call("increment")["ok"]
        tab.wait_for(lambda: tab.state["counter"] == same.state["counter"])


def test_nobody_waits_for_a_browser_that_fetches_a_large_file(fleet: Fleet) -> None:
    tab = fleet.tab()
    assert tab.call("file", {"size": SIZE}, timeout=60)["ok"]
    with request(fleet.urls[0], f"GET {tab.state['file']} HTTP/1.1") as opened:
        head = opened.recv(200)
        assert head.startswith(b"HTTP/1.1 200")
        assert_all_go_on(fleet, tab)
        body = (head + read_all(opened)).partition(b"\r\n\r\n")[2]
    assert len(body) == SIZE


def test_nobody_waits_for_a_browser_that_fetches_a_large_view(fleet: Fleet) -> None:
    tab, reader = fleet.tab(), fleet.tab()
    assert tab.call("text", {"size": 20 * MIB}, timeout=60)["ok"]
    with request(fleet.urls[0], f"GET {tab.fetched[0]} HTTP/1.1") as opened:
        head = opened.recv(200)
        assert head.startswith(b"HTTP/1.1 200")
        assert_all_go_on(fleet, reader)
        # As JSON it comes in pieces of which nobody has known the length.
        assert read_all(opened).endswith(b"0\r\n\r\n")


def test_nobody_waits_for_a_browser_that_uploads_a_large_file(fleet: Fleet) -> None:
    tab = fleet.tab()
    named = {"Authorization": f"Bearer {tab.token}"}
    begun = json.loads(ask(fleet.urls[0], f"/_mh/upload?size={SIZE}", "POST", **named).body)["id"]
    path = f"/_mh/upload/{begun}"
    at_once = 4 * MIB
    for offset in range(0, SIZE, at_once):
        part = bytes(min(at_once, SIZE - offset))
        head = f"PUT {path}?offset={offset} HTTP/1.1\r\nAuthorization: {named['Authorization']}"
        with request(fleet.urls[0], f"{head}\r\nContent-Length: {len(part)}") as opened:
            opened.sendall(part[: MIB + 7])
            if offset in (0, 24 * MIB):
                assert_all_go_on(fleet, tab)
            opened.sendall(part[MIB + 7 :])
            assert read_all(opened).startswith(b"HTTP/1.1 200")
    n = tab.fire("received", {"files": [{"$upload": begun}]})
    # What comes behind it in the session has its turn after it, others' events have not.
    with fleet.tab() as stranger:
        assert stranger.call("increment")["ok"]
    assert tab.wait_done(n, 60)["ok"]
    assert tab.state["received"][0][0] == SIZE
    assert tab.call("increment")["ok"]


def test_an_upload_outlives_the_gateway_that_took_it(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(app=APP, gateways=2)
    tab = fleet.tab(1)
    named = {"Authorization": f"Bearer {tab.token}"}
    path = ask(fleet.urls[0], f"/_mh/upload?size={MIB}", "POST", **named).headers["location"]
    half = MIB // 2
    assert ask(fleet.urls[0], f"{path}?offset=0", "PUT", bytes(half), **named).status == 200
    fleet.gateways[0].kill()
    assert json.loads(ask(fleet.urls[1], path, **named).body)["offset"] == half
    assert ask(fleet.urls[1], f"{path}?offset={half}", "PUT", bytes(half), **named).status == 200
    assert tab.call("received", {"files": [{"$upload": path.rpartition("/")[2]}]})["ok"]
    assert tab.state["received"][0][0] == MIB


def test_what_a_worker_had_not_committed_when_it_died_is_written_again(fleet_of: Callable[..., Fleet]) -> None:
    fleet = fleet_of(app=APP, environ={"MANYHANDS_LEASE": "1"})
    tab = fleet.tab()
    upload = tab.upload(bytes(MIB))
    n = tab.fire("hold_text", {"size": 3 * MIB, "upload": upload})
    tab.wait_for(lambda: tab.state.get("holding"))
    fleet.workers[0].kill()
    fleet.add_worker()
    assert tab.wait_done(n, 40)["ok"]
    # The upload was there for the second attempt, too.
    assert tab.state["text"] == "x" * 3 * MIB
    assert tab.state["length"] == MIB
    assert tab.call("read", "text")["result"][0] == 3 * MIB
