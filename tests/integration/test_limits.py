"""What a browser gets where a limit is reached: real gateways, each with limits low enough to be met at once."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import websocket

from manyhands.settings import Settings
from manyhands_gateway.process import KEEP_ALIVE
from support.browser import JSON, MSGPACK, Tab
from support.processes import Processes, get
from support.stand_in import StandIn
from support.waiting import wait_until

Gateway = Callable[..., str]


@pytest.fixture
def gateway(processes: Processes, worker: StandIn) -> Gateway:
    """Start a gateway with settings of its own, `max_nesting="5"` for MANYHANDS_MAX_NESTING, and give its URL."""

    def start(*arguments: str, **values: str) -> str:
        environ = {f"MANYHANDS_{name.upper()}": value for name, value in values.items()}
        return processes.gateway(*arguments, environ=environ)[1]

    return start


@pytest.fixture(scope="module")
def shared_gateway(module_processes: Processes, module_settings: Settings) -> Iterator[Gateway]:
    """Give the URL of a gateway with such settings, which all tests share that ask for the same ones."""
    started: dict[frozenset[tuple[str, str]], str] = {}

    def start(**values: str) -> str:
        environ = {f"MANYHANDS_{name.upper()}": value for name, value in values.items()}
        key = frozenset(environ.items())
        if key not in started:
            started[key] = module_processes.gateway(environ=environ)[1]
        return started[key]

    with contextlib.closing(StandIn(module_settings)) as worker:
        worker.announce()
        yield start


def refused(url: str, **options: Any) -> tuple[int, int | None, str]:
    """Try to connect in vain; give the status, `Retry-After` in seconds, and the text."""
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        Tab(url, hello=False, **options)
    error = caught.value
    after = (error.resp_headers or {}).get("retry-after")
    return error.status_code, after and int(after), (error.resp_body or b"").decode()  # type: ignore[return-value]


def forwarded(address: str) -> dict[str, str]:
    return {"X-Forwarded-For": address}


# --- frames ---


@pytest.mark.parametrize("subprotocol", [JSON, MSGPACK])
def test_a_frame_nested_deeper_than_the_limit_is_rejected_and_the_connection_goes_on(
    shared_gateway: Gateway, subprotocol: str
) -> None:
    with Tab(shared_gateway(max_nesting="8"), subprotocol=subprotocol) as tab:
        tab.wait_accepted(tab.fire("increment", [[[[[[[1]]]]]]]))
        tab.fire("increment", [[[[[[[[1]]]]]]]])
        rejected = tab.wait_rejected()
        assert rejected["code"] == "bad_frame"
        assert "at most 8 levels" in rejected["message"]
        tab.wait_accepted(tab.fire("increment"))


# --- sockets ---


def test_as_many_sockets_as_a_process_may_have_are_open_and_one_more_gets_503(gateway: Gateway) -> None:
    url = gateway(max_connections="2")
    with Tab(url) as first, Tab(url) as second:
        status, after, text = refused(url)
        assert (status, after) == (503, 5)
        assert "as many sockets are open" in text
        assert get(f"{url}/healthz") == "ok\n"
        second.close()
        with wait_until(lambda: connected(url), 5, "room for another") as third:
            third.join()
            first.wait_accepted(first.fire("increment"))


def connected(url: str, **options: Any) -> Tab | None:
    with contextlib.suppress(websocket.WebSocketBadStatusException):
        return Tab(url, hello=False, **options)
    return None


def test_handshakes_that_are_refused_for_another_reason_take_no_place(gateway: Gateway) -> None:
    url = gateway(max_connections="1")
    for _ in range(3):
        assert refused(url, origin="http://evil.example")[0] == 403
        assert refused(url, subprotocol="chat")[0] == 400
    with Tab(url) as tab:
        tab.wait_accepted(tab.fire("increment"))


@pytest.mark.parametrize("begun", [b"", b"GET /_mh/ws HTTP/1.1\r\nHost: x\r\nUpgrade: webs"])
def test_a_peer_that_never_finishes_its_request_is_cut_off(shared_gateway: Gateway, begun: bytes) -> None:
    host, port = shared_gateway().removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=KEEP_ALIVE + 5) as peer:
        peer.sendall(begun)
        assert peer.recv(100) == b""


# --- addresses ---


def test_unless_proxies_are_named_an_address_may_connect_as_often_as_it_likes(shared_gateway: Gateway) -> None:
    url = shared_gateway()
    with contextlib.ExitStack() as tabs:
        for _ in range(250):
            tabs.enter_context(Tab(url, hello=False, headers=forwarded("192.0.2.1")))


def test_an_address_that_connects_too_often_gets_429_and_others_do_not(gateway: Gateway) -> None:
    url = gateway(trusted_proxies="127.0.0.1", address_handshakes="0.5")
    for _ in range(5):
        Tab(url, hello=False, headers=forwarded("192.0.2.1")).drop()
    status, after, text = refused(url, headers=forwarded("192.0.2.1"))
    assert (status, text) == (429, "more than 0.5 handshakes a second come from your address\n")
    assert after in (1, 2)
    with Tab(url, headers=forwarded("192.0.2.2")) as other:
        other.wait_accepted(other.fire("increment"))
    began = time.monotonic()
    tab = wait_until(lambda: connected(url, headers=forwarded("192.0.2.1")), after + 2, "another try")
    assert time.monotonic() - began > 0.5
    tab.drop()


def test_an_address_has_so_many_sockets_open_and_one_more_gets_429(gateway: Gateway) -> None:
    url = gateway(trusted_proxies="127.0.0.0/8", address_connections="2")
    mine, others = forwarded("192.0.2.1"), forwarded("192.0.2.2")
    with Tab(url, headers=mine) as first, Tab(url, headers=mine), Tab(url, headers=others) as other:
        status, after, text = refused(url, headers=mine)
        assert (status, after) == (429, 5)
        assert "2 sockets open" in text
        other.wait_accepted(other.fire("increment"))
        first.close()
        with wait_until(lambda: connected(url, headers=mine), 5, "room for another") as third:
            third.join()


def test_addresses_of_one_ipv6_network_share_its_limit(shared_gateway: Gateway) -> None:
    url = shared_gateway(trusted_proxies="127.0.0.1", address_connections="1")
    with Tab(url, headers=forwarded("2001:db8:1:2::1")):
        assert refused(url, headers=forwarded("2001:db8:1:2:ffff:ffff:ffff:ffff"))[0] == 429
        with Tab(url, headers=forwarded("2001:db8:1:3::1")) as other:
            assert other.welcomes


def test_an_address_that_a_browser_made_up_hides_it_from_no_limit(gateway: Gateway) -> None:
    url = gateway(trusted_proxies="127.0.0.1,10.0.0.0/8", address_connections="1")
    with Tab(url, headers=forwarded("192.0.2.1")):
        for made_up in ("6.6.6.6, 192.0.2.1", "10.6.6.6, 192.0.2.1, 10.0.0.1", "127.0.0.1,192.0.2.1"):
            assert refused(url, headers=forwarded(made_up))[0] == 429


@pytest.mark.parametrize(
    "lines",
    [
        ("X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.1"),
        ("X-Forwarded-For: 192.0.2.1", "X_Forwarded_For: 6.6.6.6"),
        ("X-Forwarded-For: 192.0.2.1", "Forwarded: for=6.6.6.6", "X-Real-IP: 6.6.6.6"),
    ],
)
def test_neither_does_one_that_comes_in_a_line_of_its_own(shared_gateway: Gateway, lines: tuple[str, ...]) -> None:
    url = shared_gateway(trusted_proxies="127.0.0.1", address_connections="1")
    # Sockets of the same addresses, of another test, may just be closing.
    with wait_until(lambda: connected(url, headers=forwarded("192.0.2.1")), 5, "room for one"):
        assert shake_hands(url, *lines).startswith("HTTP/1.1 429")
        other = "X-Forwarded-For: 192.0.2.2"
        wait_until(lambda: shake_hands(url, other).startswith("HTTP/1.1 101"), 5, "room for another")


def shake_hands(url: str, *lines: str) -> str:
    """Ask for a socket with header lines as they are; give the first bytes of the answer."""
    host, port = url.removeprefix("http://").split(":")
    request = (
        "GET /_mh/ws HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
        f"Sec-WebSocket-Protocol: {JSON}", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )  # fmt: skip
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall("\r\n".join((*request, *lines, "", "")).encode())
        return raw.recv(1000).decode()


def test_of_a_peer_that_is_no_trusted_proxy_neither_address_nor_host_nor_scheme_is_believed(gateway: Gateway) -> None:
    url = gateway(trusted_proxies="127.0.0.9", address_connections="1")
    with Tab(url, headers=forwarded("192.0.2.1")):
        assert refused(url, headers=forwarded("192.0.2.2"))[0] == 429
        # By its own address, and not by the one that it tells, as the other peer is known.
        with Tab(url, headers=forwarded("127.0.0.1"), source="127.0.0.2") as other:
            assert other.welcomes
    wait_until(lambda: connects(url, headers={"X-Forwarded-Proto": "https"}, origin=url), 5, "room for another")
    claim = {"X-Forwarded-Host": "shop.example"}
    assert refused(url, headers=claim, origin="http://shop.example")[0] == 403


def connects(url: str, **options: Any) -> bool:
    tab = connected(url, **options)
    if tab is not None:
        tab.close()
    return tab is not None


def test_a_trusted_proxy_tells_the_host_and_scheme_that_a_page_must_be_of(gateway: Gateway) -> None:
    url = gateway(trusted_proxies="127.0.0.1")
    through = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "shop.example"}
    assert connects(url, headers=through, origin="https://shop.example")
    assert refused(url, headers=through, origin="http://shop.example")[0] == 403
    assert refused(url, headers=through, origin=url)[0] == 403
    assert connects(url, origin=url)


# --- events ---


def test_while_too_many_events_wait_any_gateway_puts_more_off_and_accepts_them_once_some_have_ended(
    gateway: Gateway, worker: StandIn
) -> None:
    first, second = gateway(max_waiting="20"), gateway(max_waiting="20")
    with Tab(first) as one, Tab(second) as other:
        numbers = [one.fire("increment") for _ in range(30)]
        one.wait_for(lambda: len(one.accepted) + len(one.rejections) == 30)
        # What comes while it is counted may count twice, until the next count.
        accepted = len(one.accepted)
        assert 5 <= accepted <= 20
        assert {rejected["code"] for rejected in one.rejections} == {"unavailable"}
        assert all(1 <= rejected["retry_after"] <= 3 for rejected in one.rejections)
        assert "wait for workers" in one.rejections[0]["message"]
        n = wait_until(lambda: put_off(other), 5, "refusal by the other gateway")
        n_put_off = min(set(numbers) - one.accepted)
        for _ in range(accepted):
            worker.end(one.token or "")
        for tab, event in ((one, n_put_off), (other, n)):
            wait_until(lambda tab=tab, event=event: is_accepted(tab, event), 5, "room")  # type: ignore[misc]


def put_off(tab: Tab) -> int | None:
    """Fire, and give the event's number if it was put off."""
    tab.rejections.clear()
    n = tab.fire("increment")
    return None if is_answered_with_accepted(tab, n) else n


def is_accepted(tab: Tab, n: int) -> bool:
    """Send an event again, as browsers do, and tell whether it was accepted."""
    tab.rejections.clear()
    tab.fire("increment", n=n)
    return is_answered_with_accepted(tab, n)


def is_answered_with_accepted(tab: Tab, n: int) -> bool:
    tab.wait_for(lambda: n in tab.accepted or tab.rejections)
    return n in tab.accepted


# --- time ---


def test_a_browser_that_says_nothing_is_closed_with_4000_when_its_time_is_up(gateway: Gateway) -> None:
    with Tab(gateway(hello_within="0.5"), hello=False) as tab:
        assert tab.wait_closed(3) == (4000, "`hello` must come within 0.5 s")


def test_a_browser_that_answers_pings_stays_and_one_that_does_not_is_found_dead(gateway: Gateway) -> None:
    url = gateway(ping_every="0.5", dead_after="2")
    with Tab(url) as alive, Tab(url) as dead:
        began = time.monotonic()
        received = b""
        while (data := take(dead)) != b"":
            received += data or b""
            assert time.monotonic() - began < 6
            # Reading answers pings.
            alive.read(0.05)
        assert 1 < time.monotonic() - began < 3
        assert 1 <= received.count(b"\x89\x00") <= 4
        assert alive.closed is None
        alive.wait_accepted(alive.fire("increment"))


def take(tab: Tab) -> bytes | None:
    """Take what has come, without answering it; None where there is nothing, nothing where the socket has ended."""
    raw = tab.socket.sock
    assert isinstance(raw, socket.socket)
    raw.settimeout(0)
    with contextlib.suppress(BlockingIOError):
        return raw.recv(1000)
    return None
