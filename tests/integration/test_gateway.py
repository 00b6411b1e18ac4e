"""A real gateway process and a real Redis, between simulated browsers and a stand-in for the workers."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import socket
import struct
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import websocket

from manyhands.letters import decode_body
from manyhands.settings import Settings
from manyhands_gateway.tokens import Tokens
from support.browser import JSON, MSGPACK, Tab
from support.processes import Processes, get
from support.redis_server import RedisServer
from support.stand_in import StandIn, session_of
from support.waiting import free_port, wait_until

SECRET = "only-for-tests-0123456789"


@dataclass
class Site:
    """Two gateways before one Redis, and a worker's stand-in."""

    urls: list[str]
    settings: Settings
    worker: StandIn
    redis: RedisServer

    @property
    def url(self) -> str:
        return self.urls[0]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An app's directory. The gateway must never import its code."""
    directory = tmp_path_factory.mktemp("shop")
    (directory / "main.py").write_text("raise SystemExit('the gateway has imported the app')\n")
    (directory / "index.html").write_text("<h1>the shop</h1>")
    static = directory / "static"
    static.mkdir()
    (static / "style.css").write_text("body {}")
    (static / ".hidden").write_text("secret")
    (static / "helper.py").write_text("secret")
    return directory


@pytest.fixture(scope="module")
def site(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory, app: Path) -> Iterator[Site]:
    settings = Settings(redis_url=redis_server.url, namespace=f"t{uuid.uuid4().hex[:12]}", secret_keys=(SECRET,))
    environ = environ_of(settings, app)
    started = Processes(tmp_path_factory.mktemp("gateways"), environ)
    worker = StandIn(settings)
    worker.announce()
    try:
        urls = [started.gateway()[1] for _ in range(2)]
        yield Site(urls, settings, worker, redis_server)
    finally:
        worker.close()
        started.end()
        print(started.outputs())


def environ_of(settings: Settings, app: Path | None = None) -> dict[str, str]:
    environ = {
        "REDIS_URL": settings.redis, "MANYHANDS_NAMESPACE": settings.namespace, "MANYHANDS_SECRET_KEY": SECRET,
    }  # fmt: skip
    return {**environ, "MANYHANDS_APP": str(app)} if app else environ


@pytest.fixture(params=[JSON, MSGPACK])
def tab(site: Site, request: pytest.FixtureRequest) -> Iterator[Tab]:
    with Tab(site.url, subprotocol=request.param) as one:
        yield one


@pytest.fixture
def bystander(site: Site) -> Iterator[Tab]:
    """Another connection, which must come through whatever happens: an event of its own works afterwards."""
    with Tab(site.url) as one:
        yield one
        n = one.fire("increment")
        one.wait_accepted(n)
        site.worker.end(one.token or "", counter=n)
        one.wait_done(n)
        assert one.rejections == []


# --- joining ---


def test_a_new_browser_is_welcomed_with_the_public_defaults(tab: Tab) -> None:
    (welcome,) = tab.welcomes
    assert welcome["resumed"] is False
    assert (welcome["seq"], welcome["n"], welcome["pending"], welcome["ended"]) == (0, 0, [], [])
    assert tab.state == {"counter": 0, "user": {"name": "Bob"}}


def test_every_new_browser_has_a_session_of_its_own(site: Site) -> None:
    with Tab(site.url) as one, Tab(site.url) as other:
        assert session_of(one.token) != session_of(other.token)


def test_a_session_keeps_headers_and_cookies_of_its_handshake(site: Site) -> None:
    with Tab(site.url, headers={"X-Team": "blue", "Cookie": "a=1; b=2"}) as tab:
        n = tab.fire("increment")
        tab.wait_accepted(n)
        session = site.worker.begin(tab.token or "").session
        assert session.cookies == {"a": "1", "b": "2"}
        assert session.headers["X-Team"] == "blue"
        assert "cookie" not in {name.lower() for name in session.headers}


def test_before_any_worker_has_announced_the_app_a_browser_waits_and_asks_again(
    processes: Processes, settings: Settings
) -> None:
    _, url = processes.gateway()
    with Tab(url, hello=False) as tab, contextlib.closing(StandIn(settings)) as worker:
        tab.send({"type": "hello", "client": "c"})
        rejected = tab.wait_rejected()
        assert (rejected["n"], rejected["code"], rejected["retry_after"]) == (None, "no_worker", 1.0)
        worker.announce()
        tab.join()
        assert tab.state["counter"] == 0


def test_an_event_that_finds_no_version_announced_may_come_again(processes: Processes, settings: Settings) -> None:
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce()
        with Tab(processes.gateway()[1]) as tab:
            worker.store._client.delete(worker.store.keys.versions())
            _, url = processes.gateway()
            tab.reconnect(url)
            n = tab.fire("increment")
            rejected = tab.wait_rejected()
            assert (rejected["n"], rejected["code"], rejected["retry_after"]) == (n, "no_worker", 1.0)


@pytest.mark.parametrize("version", [b"12", b"0"])
def test_a_handshake_that_is_none_is_refused(site: Site, version: bytes) -> None:
    host, port = site.url.removeprefix("http://").split(":")
    request = (
        b"GET /_mh/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: manyhands.1.json\r\nSec-WebSocket-Version: " + version + b"\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(request)
        assert raw.recv(100).startswith(b"HTTP/1.1 4")


def test_a_plain_get_of_the_socket_is_told_to_upgrade(site: Site) -> None:
    status, headers, body = fetch(f"{site.url}/_mh/ws")
    assert (status, headers.get("Upgrade")) == (426, "websocket")
    assert headers["Content-Type"].startswith("text/plain")
    assert "WebSocket handshake" in body


def test_a_head_with_the_headers_of_a_handshake_gets_no_socket(site: Site) -> None:
    assert handshake(site, "HEAD", "Sec-WebSocket-Version: 13").startswith("HTTP/1.1 405")
    assert handshake(site, "GET", "Sec-WebSocket-Version: 13").startswith("HTTP/1.1 101")


def test_what_is_wrong_with_a_handshake_is_said_in_plain_text(site: Site) -> None:
    answer = handshake(site, "GET", "Sec-WebSocket-Version: 12")
    assert answer.startswith("HTTP/1.1 4")
    assert "content-type: text/plain" in answer.lower()


def handshake(site: Site, method: str, *headers: str) -> str:
    """Give the first bytes of the answer."""
    host, port = site.url.removeprefix("http://").split(":")
    lines = (
        f"{method} /_mh/ws HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Protocol: manyhands.1.json", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", *headers,
    )  # fmt: skip
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall("\r\n".join((*lines, "", "")).encode())
        return raw.recv(1000).decode()


def test_without_a_known_subprotocol_the_handshake_is_refused(site: Site) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="400"):
        Tab(site.url, subprotocol="chat", hello=False)


def test_compression_is_not_agreed_to(site: Site) -> None:
    with Tab(site.url, headers={"Sec-WebSocket-Extensions": "permessage-deflate"}) as tab:
        assert "sec-websocket-extensions" not in tab.socket.headers


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1.evil.example", "file://"])
def test_a_page_of_another_origin_gets_403(site: Site, origin: str) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        Tab(site.url, origin=origin)


def test_a_page_of_the_same_host_may_connect(site: Site) -> None:
    with Tab(site.url, origin=site.url) as tab:
        assert tab.welcomes


# --- events ---


def test_an_event_is_accepted_before_it_is_run_and_its_update_reaches_the_browser(site: Site, tab: Tab) -> None:
    n = tab.fire("increment", {"by": 2})
    tab.wait_accepted(n)
    site.worker.end(tab.token or "", counter=2, _secret=5)
    done = tab.wait_done(n)
    assert (done["ok"], done["error"], done["event"]) == (True, None, {"client": tab.client, "n": n})
    assert tab.state["counter"] == 2


def test_a_partial_update_comes_before_the_end(site: Site, tab: Tab) -> None:
    n = tab.fire("increment")
    tab.wait_accepted(n)
    turn = site.worker.begin(tab.token or "")
    site.worker.commit(turn, done=False, counter=1)
    tab.wait_for(lambda: tab.state["counter"] == 1)
    assert n not in tab.ended
    site.worker.commit(turn, k=2, counter=2)
    tab.wait_done(n)


def test_every_tab_of_a_session_sees_every_update_through_any_gateway(site: Site, tab: Tab) -> None:
    others = [
        Tab(url, token=tab.token, subprotocol=subprotocol)
        for url, subprotocol in itertools.product(site.urls, (JSON, MSGPACK))
    ]
    with contextlib.ExitStack() as stack:
        for other in others:
            stack.enter_context(other)
            assert other.welcomes[0]["resumed"] is True
        tab.wait_accepted(tab.fire("increment"))
        site.worker.end(tab.token or "", counter=b"\x00\xff")
        for one in (tab, *others):
            one.wait_for(lambda one=one: one.state["counter"] == b"\x00\xff")  # type: ignore[misc]


def test_many_events_at_once_are_accepted_in_order(site: Site, tab: Tab) -> None:
    numbers = [tab.fire("increment") for _ in range(150)]
    tab.wait_accepted(numbers[-1])
    assert tab.accepted == set(numbers)
    for value in numbers:
        turn = site.worker.begin(tab.token or "")
        assert turn.n == value
        site.worker.commit(turn, counter=value)
    tab.wait_done(numbers[-1])
    assert [update["event"]["n"] for update in tab.updates] == numbers


def test_an_event_without_a_number_is_counted_by_the_gateway(tab: Tab) -> None:
    tab.send({"type": "event", "handler": "increment"})
    tab.send({"type": "event", "handler": "increment"})
    tab.wait_for(lambda: tab.accepted == {1, 2})


def test_the_same_number_sent_twice_is_accepted_twice_and_kept_once(site: Site, tab: Tab) -> None:
    for _ in range(2):
        tab.send({"type": "event", "n": 5, "handler": "increment"})
    tab.wait_for(lambda: tab.receipts == [5, 5])
    site.worker.end(tab.token or "", counter=1)
    assert site.worker.store.begin(session_of(tab.token), "another") is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("incremnt", "'increment'"),
        ("os.system", None),
        ("_private", None),
        ("__import__", None),
        ("increment.__globals__", None),
        ("", None),
        ("x" * 200, None),
    ],
)
def test_a_handler_that_is_not_announced_is_rejected_with_the_nearest_name(
    tab: Tab, bystander: Tab, name: str, hint: str | None
) -> None:
    n = tab.fire(name)
    rejected = tab.wait_rejected()
    assert (rejected["n"], rejected["code"]) == (n, "unknown_handler" if name else "bad_frame")
    assert hint is None or hint in rejected["message"]


def test_the_handlers_of_a_new_version_are_known_within_seconds(site: Site, tab: Tab) -> None:
    name = f"brand_new_{uuid.uuid4().hex[:6]}"
    site.worker.announce(["increment", "decrement", name], version=f"v-{name}")

    def accepted() -> bool:
        n = tab.fire(name)
        tab.wait_for(lambda: n in tab.accepted or tab.rejections)
        tab.rejections.clear()
        return n in tab.accepted

    wait_until(accepted, 5, f"acceptance of {name}")


def test_a_waiting_event_is_cancelled_at_once_even_if_it_was_sent_just_before(site: Site, tab: Tab) -> None:
    for _ in range(20):
        n = tab.fire("increment")
        tab.cancel(n)
        done = tab.wait_done(n)
        assert (done["ok"], done["error"]["code"]) == (False, "cancelled")
    tab.cancel(9999)
    tab.wait_accepted(tab.fire("increment"))


# --- limits of a session ---


def test_a_session_with_a_full_mailbox_is_told_when_to_come_back(processes: Processes, settings: Settings) -> None:
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce()
        _, url = processes.gateway(environ={"MANYHANDS_MAILBOX_LIMIT": "3"})
        with Tab(url) as tab:
            for _ in range(4):
                tab.fire("increment")
            rejected = tab.wait_rejected()
            assert (rejected["n"], rejected["code"], rejected["retry_after"]) == (4, "mailbox_full", 1.0)
            worker.end(tab.token or "")
            tab.wait_accepted(tab.fire("increment", n=4))


def test_a_fast_session_is_told_when_to_come_back(processes: Processes, settings: Settings) -> None:
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce()
        _, url = processes.gateway(environ={"MANYHANDS_RATE_LIMIT": "5"})
        with Tab(url) as tab:
            # All at once: however slow the machine, a burst of 10 is let through, and of 5 a second some are not.
            for _ in range(50):
                tab.fire("increment")
            rejected = tab.wait_rejected()
            assert (rejected["code"], rejected["n"] > 10) == ("rate_limited", True)
            assert 0 < rejected["retry_after"] <= 1


def test_a_payload_over_the_limit_is_rejected_and_one_below_is_not(processes: Processes, settings: Settings) -> None:
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce()
        _, url = processes.gateway(environ={"MANYHANDS_MAX_PAYLOAD": "100KiB"})
        for subprotocol in (JSON, MSGPACK):
            with Tab(url, subprotocol=subprotocol) as tab:
                tab.wait_accepted(tab.fire("increment", b"x" * 100 * 1024))
                n = tab.fire("increment", b"x" * (100 * 1024 + 1))
                rejected = tab.wait_rejected()
                assert (rejected["n"], rejected["code"]) == (n, "payload_too_large")
                tab.send_frame("x" * 300_000 if subprotocol == JSON else b"x" * 300_000)
                assert tab.wait_closed()[0] == 1009


# --- resuming ---


def test_a_browser_that_reconnects_gets_exactly_what_it_missed(site: Site, tab: Tab) -> None:
    first = tab.fire("increment")
    tab.wait_accepted(first)
    site.worker.end(tab.token or "", counter=1)
    tab.wait_done(first)
    second, third = tab.fire("increment"), tab.fire("increment")
    tab.wait_accepted(third)
    tab.drop()
    site.worker.end(tab.token or "", counter=2)
    tab.connect(site.urls[1])
    welcome = tab.join()
    assert "state" not in welcome
    assert (welcome["resumed"], welcome["n"], welcome["pending"]) == (True, third, [third])
    assert {end["n"] for end in welcome["ended"]} == {first, second}
    tab.wait_for(lambda: tab.state["counter"] == 2)
    site.worker.end(tab.token or "", counter=3)
    tab.wait_done(third)
    assert [update["seq"] for update in tab.updates] == [1, 2, 3]


def test_a_browser_that_missed_more_than_is_kept_gets_the_whole_state(site: Site, tab: Tab) -> None:
    n = tab.fire("increment")
    tab.wait_accepted(n)
    tab.drop()
    turn = site.worker.begin(tab.token or "")
    for k in range(1, 601):
        site.worker.commit(turn, k=k, done=False, counter=k)
    tab.connect()
    welcome = tab.join()
    assert (welcome["state"]["counter"], welcome["seq"]) == (600, 600)
    site.worker.commit(turn, k=601, counter=601)
    tab.wait_done(n)
    assert tab.state["counter"] == 601


def test_a_browser_from_a_future_that_redis_has_forgotten_gets_the_whole_state(tab: Tab) -> None:
    tab.seq = 1000
    assert "state" in tab.reconnect()


def test_updates_that_pub_sub_lost_are_found_by_their_head_number(site: Site, tab: Tab) -> None:
    with contextlib.closing(StandIn(site.settings)) as silent:
        silent.lose_updates()
        n = tab.fire("increment")
        tab.wait_accepted(n)
        silent.end(tab.token or "", counter=7)
        tab.wait_done(n, timeout=15)
        assert tab.state["counter"] == 7


def test_a_gap_in_the_updates_is_filled_at_once(site: Site, tab: Tab) -> None:
    with contextlib.closing(StandIn(site.settings)) as silent:
        silent.lose_updates()
        first, second = tab.fire("increment"), tab.fire("increment")
        tab.wait_accepted(second)
        silent.end(tab.token or "", counter=1)
        site.worker.end(tab.token or "", counter=2)
        tab.wait_done(second, timeout=3)
        assert first in tab.ended


def test_nothing_is_lost_when_redis_cuts_pub_sub(site: Site, tab: Tab) -> None:
    with contextlib.closing(site.redis.client()) as client:
        for value in range(1, 6):
            n = tab.fire("increment")
            tab.wait_accepted(n)
            client.client_kill_filter(_type="pubsub")
            site.worker.end(tab.token or "", counter=value)
            tab.wait_done(n)
            assert tab.state["counter"] == value


# --- bad input ---

FRAMES: list[tuple[str, str | bytes]] = [
    ("not JSON", "nonsense"),
    ("not a map", "[1, 2]"),
    ("an unknown type", '{"type": "evil"}'),
    ("no type", "{}"),
    ("no handler", '{"type": "event", "n": 1}'),
    ("a handler that is no string", '{"type": "event", "handler": 5}'),
    ("a number that is none", '{"type": "event", "n": "1", "handler": "increment"}'),
    ("a huge number", '{"type": "event", "n": 1e400, "handler": "increment"}'),
    ("NaN", '{"type": "event", "handler": "increment", "payload": NaN}'),
    ("a lone surrogate", '{"type": "event", "handler": "increment", "payload": "\\ud800"}'),
    ("deep nesting", '{"type": "event", "handler": "increment", "payload": ' + "[" * 5000 + "]" * 5000 + "}"),
    ("a private repeater", '{"type":"event","handler":"increment","context":{"repeaters":[{"state":["_a"],"key":1}]}}'),
    ("a binary frame", b"\x80"),
    ("a second hello", '{"type": "hello", "client": "again"}'),
]


@pytest.mark.parametrize("frame", [frame for _, frame in FRAMES], ids=[name for name, _ in FRAMES])
def test_a_bad_frame_is_rejected_and_the_connection_goes_on(site: Site, bystander: Tab, frame: str | bytes) -> None:
    with Tab(site.url) as tab:
        tab.send_frame(frame)
        assert tab.wait_rejected()["code"] == "bad_frame"
        tab.wait_accepted(tab.fire("increment"))


@pytest.mark.parametrize("frame", [b"", b"\xc1", b"\x91" * 10_000, b"\x81\x01\x02", b"\xdf\xff\xff\xff\xff", "{}"])
def test_a_bad_msgpack_frame_is_rejected_and_the_connection_goes_on(
    site: Site, bystander: Tab, frame: str | bytes
) -> None:
    with Tab(site.url, subprotocol=MSGPACK) as tab:
        tab.send_frame(frame)
        assert tab.wait_rejected()["code"] == "bad_frame"
        tab.wait_accepted(tab.fire("increment"))


@pytest.mark.parametrize(
    "frame", ["nonsense", "[]", "{}", '{"type": "hello"}', '{"type":"event","n":1,"handler":"increment"}', b"\x80"]
)
def test_a_first_frame_that_is_no_hello_closes_with_4000_and_a_reason(
    site: Site, bystander: Tab, frame: str | bytes
) -> None:
    with Tab(site.url, hello=False) as tab:
        tab.send_frame(frame)
        code, reason = tab.wait_closed()
        assert code == 4000
        assert reason


def test_a_browser_that_never_says_hello_is_closed(site: Site) -> None:
    with Tab(site.url, hello=False) as tab:
        began = time.monotonic()
        code, reason = tab.wait_closed()
        assert code == 4000
        assert "hello" in reason
        assert 4 < time.monotonic() - began < 8


def forged_tokens(settings: Settings) -> dict[str, str]:
    return {
        "forged": "AAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB",
        "nonsense": "nonsense",
        "of another namespace": Tokens(replace(settings, namespace="other")).sign("AAAAAAAAAAAAAAAAAAAAAA"),
        "of an unknown session": Tokens(settings).sign("AAAAAAAAAAAAAAAAAAAAAA"),
    }


@pytest.mark.parametrize("kind", ["forged", "nonsense", "of another namespace", "of an unknown session"])
def test_a_token_that_names_no_session_of_ours_closes_with_4001(site: Site, bystander: Tab, kind: str) -> None:
    with Tab(site.url, token=forged_tokens(site.settings)[kind], hello=False) as tab:
        tab.send({"type": "hello", "client": tab.client, "session": tab.token})
        assert tab.wait_closed()[0] == 4001


def test_a_frame_of_20_mib_closes_with_1009(site: Site, bystander: Tab) -> None:
    with Tab(site.url) as tab:
        tab.send_frame('"' + "x" * (20 * 2**20) + '"')
        assert tab.wait_closed()[0] == 1009


def test_fragments_count_together_against_the_limit(site: Site, bystander: Tab) -> None:
    with Tab(site.url) as tab:
        tab.socket.send_frame(websocket.ABNF.create_frame("x" * 2**20, websocket.ABNF.OPCODE_TEXT, 0))
        with contextlib.suppress(OSError):
            for _ in range(16):
                tab.socket.send_frame(websocket.ABNF.create_frame("x" * 2**20, websocket.ABNF.OPCODE_CONT, 0))
        assert tab.wait_closed()[0] == 1009


def test_an_event_in_fragments_with_pings_between_them_is_put_together(site: Site) -> None:
    event = {"type": "event", "n": 1, "handler": "increment", "payload": "é" * 100}
    text = json.dumps(event, ensure_ascii=False).encode()
    opcodes = itertools.chain([websocket.ABNF.OPCODE_TEXT], itertools.repeat(websocket.ABNF.OPCODE_CONT))
    with Tab(site.url) as tab:
        for first, opcode in zip(range(0, len(text), 7), opcodes, strict=False):
            last = first + 7 >= len(text)
            tab.socket.send_frame(websocket.ABNF(int(last), 0, 0, 0, opcode, 1, text[first : first + 7]))
            tab.socket.ping(b"p")
        tab.wait_accepted(1)
        assert decode_body(site.worker.begin(tab.token or "").body).payload == "é" * 100


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (websocket.ABNF(1, 0, 0, 0, websocket.ABNF.OPCODE_TEXT, 1, b"\xff\xfe"), 1007),
        (websocket.ABNF(1, 1, 0, 0, websocket.ABNF.OPCODE_TEXT, 1, b"x"), 1002),
        (websocket.ABNF(1, 0, 0, 0, websocket.ABNF.OPCODE_CONT, 1, b"x"), 1002),
        (websocket.ABNF(1, 0, 0, 0, websocket.ABNF.OPCODE_PING, 1, b"x" * 126), 1002),
    ],
)
def test_what_breaks_the_websocket_protocol_itself_closes_with_its_code(
    site: Site, bystander: Tab, data: websocket.ABNF, code: int
) -> None:
    with Tab(site.url) as tab:
        assert tab.socket.sock is not None
        tab.socket.sock.sendall(data.format())
        assert tab.wait_closed()[0] == code


def masked(payload: bytes, opcode: int) -> bytes:
    return bytes((0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0)) + payload


FLOODS = {
    "pings": masked(b"", websocket.ABNF.OPCODE_PING),
    "pongs": masked(b"", websocket.ABNF.OPCODE_PONG),
    "bad frames": masked(b"1", websocket.ABNF.OPCODE_TEXT),
    "unknown handlers": masked(b'{"type":"event","handler":"' + b"incremenx" * 8 + b'"}', websocket.ABNF.OPCODE_TEXT),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_browser_that_floods_is_closed_with_4000_while_others_go_on(site: Site, bystander: Tab, flood: bytes) -> None:
    with Tab(site.url) as tab:
        keep_sending(tab, flood * 2000)
        began = time.monotonic()
        assert get(f"{site.url}/healthz") == "ok\n"
        assert time.monotonic() - began < 2
        code, reason = tab.wait_closed()
        assert code == 4000
        assert "flooding" in reason


def test_a_browser_that_floods_before_its_hello_is_closed_with_4000(site: Site, bystander: Tab) -> None:
    with Tab(site.url, hello=False) as tab:
        keep_sending(tab, FLOODS["pongs"] * 2000)
        assert tab.wait_closed()[0] == 4000


def keep_sending(tab: Tab, data: bytes) -> None:
    """Send without end, in a thread that ends with the socket."""
    raw = tab.socket.sock
    assert raw is not None

    def send() -> None:
        with contextlib.suppress(OSError):
            while True:
                raw.sendall(data)

    threading.Thread(target=send, name="flood", daemon=True).start()


def test_sockets_that_vanish_disturb_nobody(site: Site, bystander: Tab) -> None:
    for _ in range(30):
        tab = Tab(site.url)
        tab.fire("increment")
        assert tab.socket.sock is not None
        tab.socket.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        tab.drop()


def test_a_browser_that_stops_reading_is_closed_with_4002_and_resumes_while_others_go_on(
    site: Site, bystander: Tab
) -> None:
    with Tab(site.url) as tab, Tab(site.url, token=tab.token) as other:
        tab.wait_accepted(tab.fire("increment"))
        turn = site.worker.begin(tab.token or "")
        for k in range(1, 16):
            site.worker.commit(turn, k=k, done=False, counter="x" * 3_000_000 + str(k))
            other.wait_for(lambda k=k: other.seq == k)  # type: ignore[misc]
        code = 0
        with contextlib.suppress(AssertionError):
            code = tab.wait_closed()[0]
        assert code == 4002
        tab.reconnect()
        site.worker.commit(turn, k=16, counter="end")
        for one in (tab, other):
            one.wait_for(lambda one=one: one.state["counter"] == "end")  # type: ignore[misc]


# --- HTTP ---


def fetch(url: str, **headers: str) -> tuple[int, dict[str, str], str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


def test_the_page_is_the_apps_own_and_always_fresh(site: Site) -> None:
    status, headers, text = fetch(site.url)
    assert (status, text) == (200, "<h1>the shop</h1>")
    assert headers["Cache-Control"] == "no-cache"
    assert fetch(site.url, **{"If-None-Match": headers["ETag"]})[0] == 304


def test_static_files_are_served_but_neither_code_nor_hidden_nor_outside_ones(site: Site) -> None:
    assert fetch(f"{site.url}/static/style.css")[2] == "body {}"
    for path in ("helper.py", ".hidden", "../main.py", "%2e%2e/main.py", "..%2fmain.py", "//etc/passwd", "none.css"):
        status, _, text = fetch(f"{site.url}/static/{path}")
        assert status == 404
        assert "secret" not in text
        assert "raise SystemExit" not in text


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/healthz", "/readyz", "/nowhere"])
def test_every_answer_has_the_security_headers(site: Site, path: str) -> None:
    _, headers, _ = fetch(site.url + path)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy if path in ("/", "/static/style.css") else "default-src 'none'" in policy
    assert "Strict-Transport-Security" not in headers


def test_a_fault_of_ours_is_told_to_the_log_and_not_to_the_browser(processes: Processes, settings: Settings) -> None:
    process, url = processes.gateway(environ={"FLASK_DEBUG": "1"})
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce()
        worker.store._client.set(worker.store.keys.announcement("v1"), b"\xc1 what no worker announces")
    status, headers, text = fetch(url)
    assert status == 500
    assert text.startswith("500 Internal Server Error")
    assert "Traceback" not in text
    assert "unpack" not in text
    assert headers["Content-Security-Policy"]
    process.wait_for_output("Traceback")
    with Tab(url, hello=False) as tab:
        tab.send({"type": "hello", "client": "c"})
        assert tab.wait_closed() == (1011, "internal error")
    assert fetch(f"{url}/healthz")[0] == 200


def test_the_policy_of_pages_and_hsts_are_settings(processes: Processes, app: Path) -> None:
    environ = {
        "MANYHANDS_APP": str(app), "MANYHANDS_CONTENT_SECURITY_POLICY": "default-src 'self'; img-src *",
        "MANYHANDS_HSTS": "600", "MANYHANDS_TRUSTED_PROXIES": "127.0.0.1",
    }  # fmt: skip
    _, url = processes.gateway(environ=environ)
    assert "Strict-Transport-Security" not in fetch(url)[1]
    headers = fetch(url, **{"X-Forwarded-Proto": "https"})[1]
    assert headers["Strict-Transport-Security"] == "max-age=600"
    assert headers["Content-Security-Policy"] == "default-src 'self'; img-src *"
    _, url = processes.gateway(environ=environ | {"MANYHANDS_CONTENT_SECURITY_POLICY": "off"})
    assert "Content-Security-Policy" not in fetch(url)[1]


def test_an_app_without_a_page_gets_one_that_lists_its_handlers(
    processes: Processes, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text("")
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce(["<b>", "increment"])
        _, url = processes.gateway(environ={"MANYHANDS_APP": str(tmp_path)})
        _, _, text = fetch(url)
    assert 'data-handler="increment"' in text
    assert 'data-handler="&lt;b&gt;"' in text
    assert "/_mh/client.js" in text


def test_ready_says_what_is_missing(processes: Processes, settings: Settings) -> None:
    process, url = processes.gateway()
    reasons = json.loads(process.wait_for_http(f"{url}/readyz", 503))["reasons"]
    assert list(reasons) == ["worker"]
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce()
    assert json.loads(process.wait_for_http(f"{url}/readyz"))["ready"] is True


# --- processes ---


def test_without_redis_the_gateway_starts_says_so_and_recovers(
    processes: Processes, tmp_path: Path, namespace: str
) -> None:
    server = RedisServer(tmp_path, "--appendonly", "no")
    settings = Settings(redis_url=server.url, namespace=namespace, secret_keys=(SECRET,))
    process, url = processes.gateway(environ=environ_of(settings))
    began = time.monotonic()
    reasons = json.loads(process.wait_for_http(f"{url}/readyz", 503))["reasons"]
    assert set(reasons) == {"redis", "broker"}
    assert time.monotonic() - began < 3
    with Tab(url, hello=False) as tab:
        tab.send({"type": "hello", "client": tab.client})
        rejected = tab.wait_rejected()
        assert (rejected["n"], rejected["code"]) == (None, "unavailable")
        server.start()
        try:
            with contextlib.closing(StandIn(settings)) as worker:
                worker.announce()
                process.wait_for_http(f"{url}/readyz")
                tab.join()
                n = tab.fire("increment")
                tab.wait_accepted(n)
                worker.end(tab.token or "", counter=1)
                tab.wait_done(n)
                server.kill()
                tab.fire("increment")
                rejected = tab.wait_rejected(15)
                assert (rejected["n"], rejected["code"], rejected["retry_after"]) == (n + 1, "unavailable", 1.0)
                assert get(f"{url}/healthz") == "ok\n"
        finally:
            server.kill()


def test_sigterm_ends_a_gateway_whose_processes_are_still_loading(processes: Processes) -> None:
    for _ in range(3):
        process, _url = processes.gateway("--processes", "4")
        process.send(signal.SIGTERM)
        assert process.wait_for_exit() == 0


@pytest.mark.parametrize("count", ["1", "2"])
def test_sigterm_sends_every_browser_away_and_exits_0(processes: Processes, settings: Settings, count: str) -> None:
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce()
        process, url = processes.gateway("--processes", count)
        tabs = [Tab(url, subprotocol=(JSON, MSGPACK)[number % 2]) for number in range(40)]
        process.send(signal.SIGTERM)
        delays = []
        for tab in tabs:
            assert tab.wait_closed(20)[0] == 1012
            assert tab.others[-1]["type"] == "restart"
            delays.append(tab.others[-1]["delay"])
            tab.drop()
        assert process.wait_for_exit() == 0
        assert len(set(delays)) > 20
        assert min(delays) >= 0
        assert max(delays) < 30


def test_events_that_were_sent_before_sigterm_are_accepted(processes: Processes, settings: Settings) -> None:
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce()
        process, url = processes.gateway()
        with Tab(url) as tab:
            numbers = [tab.fire("increment") for _ in range(100)]
            tab.wait_accepted(numbers[0])
            process.send(signal.SIGTERM)
            tab.wait_closed(20)
            waiting = tab.accepted & set(numbers)
            for _ in waiting:
                worker.end(tab.token or "")
        assert process.wait_for_exit() == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"MANYHANDS_TURN_LIMIT": "soon"}, ["MANYHANDS_TURN_LIMIT", "'soon'"]),
        ({"MANYHANDS_SECRET_KEY": ""}, ["MANYHANDS_SECRET_KEY"]),
        ({"REDIS_URL": ""}, ["REDIS_URL", "redis-server"]),
        ({"MANYHANDS_APP": "/nowhere"}, ["/nowhere"]),
    ],
)
def test_a_bad_setting_stops_the_gateway_at_once(
    processes: Processes, change: dict[str, str], words: list[str]
) -> None:
    process = processes.manyhands("gateway", "--port", str(free_port()), environ=change)
    assert process.wait_for_exit() == 1
    for word in words:
        assert word in process.output
    assert "Traceback" not in process.output


def test_a_port_in_use_is_named(processes: Processes) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        process = processes.manyhands("gateway", "--host", "127.0.0.1", "--port", port)
        assert process.wait_for_exit() == 1
        assert port in process.output
        assert "Traceback" not in process.output


def test_neither_tokens_nor_payloads_are_logged(processes: Processes, settings: Settings) -> None:
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce()
        process, url = processes.gateway()
        with Tab(url) as tab:
            tab.fire("increment", "a secret payload")
            tab.send_frame('{"type":"event","handler":"increment","payload":"a secret payload","n":"x"}')
            tab.wait_rejected()
            token = tab.token or ""
        process.terminate()
    assert token not in process.output
    assert "secret payload" not in process.output
